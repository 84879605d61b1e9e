"""What `call_without_torch` needs of transformers, imported ahead, where it finds no torch."""

import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # transformers would complain that there is no torch
sys.modules["torch"] = None  # type: ignore[assignment]

from transformers import AutoTokenizer, PreTrainedTokenizerFast  # noqa: E402, F401

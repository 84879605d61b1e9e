"""Write a GGUF file as a checkpoint in bfloat16: `python convert.py FILE FOLDER`, with gguf and accelerate on the path.

In a process of its own, so that no test sees those two: transformers behaves otherwise where it finds accelerate.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer


def convert(file: Path, target: Path) -> None:
    """Write the new folder `target`."""
    model: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.bfloat16)
    # The weights are plain now; with these two left they would be written as quantised ones.
    del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(target)
    tokenizer: Any = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    if model.config.model_type == "gemma3_text":
        # The file leaves out what the original's tokenizer puts in front of every text.
        beginning = tokenizer.bos_token
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"{beginning} $A", special_tokens=[(beginning, tokenizer.bos_token_id)]
        )
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))

"""Models and tokenizers in memory."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slam_ray.config import InputError
from slam_ray.models.families import FAMILIES

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_model(directory: Path, dtype: str, trusted: bool = False, device: str = "cpu") -> "PreTrainedModel":
    """The causal language model in `directory`, in evaluation mode on `device`, its parameters in `dtype`.

    Of a checkpoint with several parts only the text part is loaded. Python code in the folder is run only if it is
    `trusted`.

    Raises:
        InputError: the files lack a tensor, which transformers would fill with random numbers.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    # Each worker would print progress bars, and a list of the other parts' tensors, into the job's log.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    wanted = getattr(torch, dtype)
    whole = AutoConfig.from_pretrained(directory, trust_remote_code=trusted)
    family, config = FAMILIES[whole.model_type], whole.get_text_config()
    # Gemma 2 needs its attention's logits capped; only the eager attention does so, SDPA would silently leave it out.
    capped = getattr(config, "attn_logit_softcapping", None)
    attention = "eager" if capped else "sdpa"
    if family.wider_window:
        config.sliding_window += family.wider_window
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        directory,
        config=config,
        key_mapping={f"^{re.escape(stored)}": name for stored, name in family.stored.items()},
        dtype=wanted,
        attn_implementation=attention,
        trust_remote_code=trusted,
        use_safetensors=True,
        output_loading_info=True,
    )
    model, info = loaded
    if info["missing_keys"]:
        raise InputError(f"model.path: {directory} holds no tensor {min(info['missing_keys'])}")
    wrong = [name for name, tensor in model.named_parameters() if tensor.dtype != wanted]
    assert not wrong, f"not loaded in {dtype}: {wrong[:3]}"
    moved: PreTrainedModel = torch.nn.Module.to(model.eval(), torch.device(device))
    return moved


def load_tokenizer(directory: Path, trusted: bool = False) -> "PreTrainedTokenizerBase":
    """The tokenizer in `directory`; Python code in there is run only if it is `trusted`.

    Raises:
        InputError: transformers cannot load it.
    """
    from transformers import AutoTokenizer

    try:
        # By default transformers prefers Mistral's tekken.json to tokenizer.json, which is what vLLM reads.
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            directory, trust_remote_code=trusted, mistral_format=False
        )
        if type(tokenizer).__module__.startswith("transformers.models."):
            _use_parts_of(tokenizer, directory / "tokenizer.json")
    except Exception as error:  # tokenizers raises nothing more special, and the folder's code may raise anything
        said = " ".join(str(error).split())
        raise InputError(f"model.path: the tokenizer in {directory} cannot be loaded: {said}") from None
    return tokenizer


def _use_parts_of(tokenizer: Any, file: Path) -> None:
    """Make the tokenizer split texts as its file says.

    The classes of some families read only the vocabulary from it. LlamaTokenizer splits as SentencePiece does even if
    the file holds a byte-level BPE, as with Llama 3 and the models that were made from it.
    """
    from tokenizers import Tokenizer

    in_file, in_use = Tokenizer.from_file(str(file)), tokenizer.backend_tokenizer
    for part in ("normalizer", "pre_tokenizer", "model", "post_processor", "decoder"):
        setattr(in_use, part, getattr(in_file, part))

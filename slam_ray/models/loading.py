"""Models and tokenizers in memory."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slam_ray.config import InputError
from slam_ray.models.checkpoint import without_strays
from slam_ray.models.reference import ModelRef
from slam_ray.models.weights import trained_tensors

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_model(model: ModelRef, dtype: str, device: str = "cpu") -> "PreTrainedModel":
    """A causal language model in evaluation mode on `device`, its parameters in `dtype`: the base, then what was tuned.

    It takes packed rows (`forward_pass`), or batches of texts of equal length; it knows no padding.

    Of a checkpoint with several parts only the text part is loaded. Python code in its folder is run only if it is
    trusted.

    Raises:
        InputError: the files lack a tensor, which transformers would fill with random numbers.
    """
    import torch

    loaded = _load_base(model, dtype)
    with torch.no_grad():
        for name, tensor in trained_tensors(model).items():
            parameter = loaded.get_parameter(model.family.loaded_name(name))
            assert parameter.shape == tensor.shape, f"{name}: trained {tensor.shape}, in the model {parameter.shape}"
            parameter.copy_(tensor)
    moved: PreTrainedModel = torch.nn.Module.to(loaded.eval(), torch.device(device))
    return moved


def _load_base(model: ModelRef, dtype: str) -> "PreTrainedModel":
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    from slam_ray.models.packed_attention import PACKED

    # Each worker would print progress bars, and a list of the other parts' tensors, into the job's log.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    wanted, family = getattr(torch, dtype), model.family
    with without_strays(model.base) as folder:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=model.trusted).get_text_config()
        if family.wider_window:
            config.sliding_window += family.wider_window
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            key_mapping={f"^{re.escape(stored)}": name for stored, name in family.stored.items()},
            dtype=wanted,
            attn_implementation=PACKED,
            trust_remote_code=model.trusted,
            use_safetensors=True,
            output_loading_info=True,
        )
    base: PreTrainedModel = loaded[0]
    if missing := loaded[1]["missing_keys"]:
        raise InputError(f"model.path: {model.base} holds no tensor {min(missing)}")
    wrong = [name for name, tensor in base.named_parameters() if tensor.dtype != wanted]
    assert not wrong, f"not loaded in {dtype}: {wrong[:3]}"
    return base


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

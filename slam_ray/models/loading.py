"""Models and tokenizers in memory, and which of a model's parameters are trained."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slam_ray.config import InputError
from slam_ray.models.families import FAMILIES, WHOLE_LAYER, Family

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Part = tuple[int, int, int]  # of a tensor, as `narrow` takes it: axis, start, length


def load_model(directory: Path, dtype: str, trusted: bool = False, device: str = "cpu") -> "PreTrainedModel":
    """The causal language model in `directory`, in evaluation mode on `device`, its parameters in `dtype`.

    Of a checkpoint that has other parts it is the text part alone. Python code that it brings along is run only if it
    is `trusted`.

    Raises:
        InputError: the files lack a tensor, which would otherwise be random.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    # Bars, and the list of another part's tensors, would flood the job's log from every worker.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    wanted = getattr(torch, dtype)
    whole = AutoConfig.from_pretrained(directory, trust_remote_code=trusted)
    family, config = FAMILIES[whole.model_type], whole.get_text_config()
    # Only the eager attention caps its logits, as Gemma 2 needs; the faster one would silently not.
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
    model, found = loaded
    if found["missing_keys"]:
        raise InputError(f"model.path: {directory} holds no tensor {min(found['missing_keys'])}")
    wrong = [name for name, tensor in model.named_parameters() if tensor.dtype != wanted]
    assert not wrong, f"not loaded in {dtype}: {wrong[:3]}"
    moved: PreTrainedModel = torch.nn.Module.to(model.eval(), torch.device(device))
    return moved


def load_tokenizer(directory: Path, trusted: bool = False) -> "PreTrainedTokenizerBase":
    """The tokenizer in `directory`; code that it brings along is run only if it is `trusted`.

    Raises:
        InputError: transformers cannot load it.
    """
    from transformers import AutoTokenizer

    try:
        # By default a tekken.json, Mistral's own, would go before tokenizer.json, which vLLM reads.
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            directory, trust_remote_code=trusted, mistral_format=False
        )
        if type(tokenizer).__module__.startswith("transformers.models."):
            _take_from_file(tokenizer, directory / "tokenizer.json")
    except Exception as error:  # of tokenizers, which raises nothing more special, or of the code that is brought along
        said = " ".join(str(error).split())
        raise InputError(f"model.path: the tokenizer in {directory} cannot be loaded: {said}") from None
    return tokenizer


def _take_from_file(tokenizer: Any, file: Path) -> None:
    """Have the tokenizer cut texts as the file says.

    The classes of some families take the vocabulary alone from it: LlamaTokenizer cuts as SentencePiece does also where
    the file holds a byte-level BPE, as those of Llama 3 and of models made of it do.
    """
    from tokenizers import Tokenizer

    said, own = Tokenizer.from_file(str(file)), tokenizer.backend_tokenizer
    for part in ("normalizer", "pre_tokenizer", "model", "post_processor", "decoder"):
        setattr(own, part, getattr(said, part))


def tune_only(model: "PreTrainedModel", family: Family, layers: Sequence[int], projections: Sequence[str]) -> float:
    """Let gradients flow to these projections of these 0-based layers only (Eq. 8), or to the whole of the layers.

    Where a tuned projection is a part of a fused weight, the other parts get gradients of zero. Biases and norms are
    tuned with a whole layer only.

    Returns:
        The share of the model's parameters that are tuned; tied weights count once.

    Raises:
        InputError: the family has no such projection.
    """
    parameters = dict(model.named_parameters())
    parts: dict[str, list[Part]] = defaultdict(list)
    for layer in layers:
        if WHOLE_LAYER in projections:
            inside = (name for name in parameters if name.startswith(f"{family.layers}.{layer}."))
            parts |= {name: [(0, 0, len(parameters[name]))] for name in inside}
            continue
        for projection in set(projections):
            name = family.parameter(layer, projection)
            parts[name].append(_part(family, projection, parameters[name], model.config))
    tuned = 0
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in parts)
        if name not in parts:
            continue
        size = sum(parameter.narrow(*part).numel() for part in parts[name])
        if size < parameter.numel():
            _keep_gradient_of(parameter, parts[name])
        tuned += size
    return tuned / sum(parameter.numel() for parameter in parameters.values())


def _part(family: Family, name: str, weight: "torch.Tensor", config: Any) -> Part:
    """Where the outputs of a projection lie in the weight that holds it."""
    axis, fused = family.outputs_axis, family.projection(name).fused or (name,)
    heads = config.num_attention_heads
    fewer = getattr(config, "num_key_value_heads", None) or heads
    # An FFN's fused projections are of one size, an attention's as large as their number of heads.
    sizes = {"q": heads, "k": fewer, "v": fewer}
    unit = weight.shape[axis] // sum(sizes.get(each, 1) for each in fused)
    before = sum(sizes.get(each, 1) for each in fused[: fused.index(name)])
    return axis, unit * before, unit * sizes.get(name, 1)


def _keep_gradient_of(parameter: "torch.nn.Parameter", parts: Sequence[Part]) -> None:
    def masked(gradient: "torch.Tensor") -> "torch.Tensor":
        kept = gradient.new_zeros(gradient.shape)
        for part in parts:
            kept.narrow(*part).copy_(gradient.narrow(*part))
        return kept

    parameter.register_hook(masked)

"""Models and tokenizers in memory, and which of a model's parameters are trained."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slam_ray.models.families import Family

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_model(directory: Path, dtype: str, trusted: bool = False) -> "PreTrainedModel":
    """The causal language model in `directory`, in evaluation mode on the CPU, its parameters in `dtype`.

    Python code that it brings along is run only if it is `trusted`.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    # A bar of every worker would flood the job's log.
    logging.disable_progress_bar()
    wanted = getattr(torch, dtype)
    # Only the eager attention caps its logits, as Gemma 2 needs; the faster one would silently not.
    config = AutoConfig.from_pretrained(directory, trust_remote_code=trusted)
    capped = getattr(config, "attn_logit_softcapping", None)
    attention = "eager" if capped else "sdpa"
    model = AutoModelForCausalLM.from_pretrained(
        directory, dtype=wanted, attn_implementation=attention, trust_remote_code=trusted
    )
    wrong = [name for name, tensor in model.named_parameters() if tensor.dtype != wanted]
    assert not wrong, f"not loaded in {dtype}: {wrong[:3]}"
    model.eval()
    return model


def load_tokenizer(directory: Path, trusted: bool = False) -> "PreTrainedTokenizerBase":
    """The tokenizer in `directory`; code that it brings along is run only if it is `trusted`."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(directory, trust_remote_code=trusted)


def tune_only(model: "torch.nn.Module", family: Family, layers: Sequence[int], projections: Iterable[str]) -> float:
    """Let gradients flow to these projections of these 0-based layers only (Eq. 8).

    Where up and gate are one fused weight and only one of them is tuned, the other's rows get gradients of zero.

    Returns:
        The share of the model's parameters that are tuned; tied weights count once.

    Raises:
        InputError: the family has no such projection.
    """
    parts: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for layer in layers:
        for name in dict.fromkeys(projections):
            parts[family.parameter(layer, name)].append(family.projection(name).part)
    tuned = 0
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in parts)
        for _, blocks in parts.get(name, []):
            tuned += parameter.numel() // blocks
        if name in parts and len(parts[name]) < parts[name][0][1]:
            _keep_gradient_of(parameter, *parts[name][0])
    assert parts.keys() <= parameters.keys(), f"the model has no {sorted(parts.keys() - parameters.keys())}"
    return tuned / sum(parameter.numel() for parameter in parameters.values())


def _keep_gradient_of(parameter: "torch.nn.Parameter", block: int, blocks: int) -> None:
    def masked(gradient: "torch.Tensor") -> "torch.Tensor":
        kept = gradient.new_zeros(gradient.shape)
        rows = len(gradient) // blocks
        kept[block * rows : (block + 1) * rows] = gradient[block * rows : (block + 1) * rows]
        return kept

    parameter.register_hook(masked)

"""Models and tokenizers in memory, and which of a model's parameters are trained."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slam_ray.models.families import Family

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_model(directory: Path, dtype: str) -> "PreTrainedModel":
    """The causal language model in `directory`, in evaluation mode on the CPU, its parameters in `dtype`."""
    import torch
    from transformers import AutoModelForCausalLM

    wanted = getattr(torch, dtype)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=wanted, attn_implementation="sdpa")
    wrong = [name for name, tensor in model.named_parameters() if tensor.dtype != wanted]
    assert not wrong, f"not loaded in {dtype}: {wrong[:3]}"
    model.eval()
    return model


def load_tokenizer(directory: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer in `directory`."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(directory)


def trained_names(family: Family, layers: Sequence[int], projections: Iterable[str]) -> list[str]:
    """Names of the weights that are tuned: these projections of these 0-based layers (Eq. 8)."""
    return [family.parameter(layer, projection) for layer in layers for projection in projections]


def freeze_all_but(model: "torch.nn.Module", names: Iterable[str]) -> None:
    """Let gradients flow to the named parameters only."""
    wanted = set(names)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in wanted)
    missing = wanted - {name for name, _ in model.named_parameters()}
    assert not missing, f"the model has no parameters {sorted(missing)}"


def trained_share(model: "torch.nn.Module") -> float:
    """Share of parameters that are trained; tied weights count once."""
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters if p.requires_grad) / sum(p.numel() for p in parameters)

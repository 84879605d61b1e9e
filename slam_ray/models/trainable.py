"""Which of a model's parameters are trained: some projections of some layers (Eq. 8), or whole layers."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slam_ray.models.families import WHOLE_LAYER, Family

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Slice = tuple[int, int, int]  # of a tensor, as `narrow` takes it: axis, start, length


def tune_only(model: "PreTrainedModel", family: Family, layers: Sequence[int], projections: Sequence[str]) -> float:
    """Let gradients flow to these projections of these 0-based layers only, or to all parameters of the layers.

    The other projections in a fused weight get gradients of zero. Biases and norms are tuned only with a whole layer.

    Returns:
        The share of the model's parameters that are tuned; tied weights count once.

    Raises:
        InputError: the family has no such projection.
    """
    parameters = dict(model.named_parameters())
    slices: dict[str, list[Slice]] = defaultdict(list)
    for layer in layers:
        if WHOLE_LAYER in projections:
            inside = (name for name in parameters if name.startswith(f"{family.layers}.{layer}."))
            slices |= {name: [(0, 0, len(parameters[name]))] for name in inside}
            continue
        for projection in set(projections):
            name = family.parameter(layer, projection)
            slices[name].append(_slice(family, projection, parameters[name], model.config))
    tuned = 0
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in slices)
        if name not in slices:
            continue
        size = sum(parameter.narrow(*each).numel() for each in slices[name])
        if size < parameter.numel():
            _zero_other_gradients(parameter, slices[name])
        tuned += size
    return tuned / sum(parameter.numel() for parameter in parameters.values())


def _slice(family: Family, name: str, weight: "torch.Tensor", config: Any) -> Slice:
    """Where the outputs of the projection `name` lie in the weight that holds them."""
    axis, fused = family.outputs_axis, family.projection(name).fused or (name,)
    heads = config.num_attention_heads
    fewer = getattr(config, "num_key_value_heads", None) or heads
    # The fused projections of an FFN are of equal size, those of an attention in proportion to their heads.
    sizes = {"q": heads, "k": fewer, "v": fewer}
    unit = weight.shape[axis] // sum(sizes.get(each, 1) for each in fused)
    before = sum(sizes.get(each, 1) for each in fused[: fused.index(name)])
    return axis, unit * before, unit * sizes.get(name, 1)


def _zero_other_gradients(parameter: "torch.nn.Parameter", trained: Sequence[Slice]) -> None:
    def masked(gradient: "torch.Tensor") -> "torch.Tensor":
        kept = gradient.new_zeros(gradient.shape)
        for each in trained:
            kept.narrow(*each).copy_(gradient.narrow(*each))
        return kept

    parameter.register_hook(masked)

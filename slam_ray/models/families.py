"""Where a model family keeps the parts that SLAM reads and tunes. A new family is one entry in `FAMILIES`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slam_ray.config import InputError


@dataclass(frozen=True)
class Projection:
    """A linear map of an FFN.

    Attributes:
        module: path of its module inside a layer.
        part: (k, n) where it is the k-th of n equal blocks of rows of a fused weight; (0, 1) if it has its own.
    """

    module: str
    part: tuple[int, int] = (0, 1)


@dataclass(frozen=True)
class Family:
    """Names inside a Hugging Face causal language model.

    Attributes:
        layers: path of the list of decoder layers.
        activation: path, inside a layer, of the module that computes f(W_gate x), or f(W_in x) of an ungated FFN,
            f the activation function.
        projections: by name; an ungated FFN has no "gate".
    """

    layers: str
    activation: str
    projections: Mapping[str, Projection]

    def projection(self, name: str) -> Projection:
        """The projection `name`; InputError if this family has none."""
        if name not in self.projections:
            raise InputError(
                f"training.projections: this model's FFN has no {name!r}; it has {', '.join(self.projections)}"
            )
        return self.projections[name]

    def parameter(self, layer: int, projection: str) -> str:
        """Name of the weight of a projection in a 0-based layer, as in the model's state dict."""
        return f"{self.layers}.{layer}.{self.projection(projection).module}.weight"


_GATED = Family(
    layers="model.layers",
    activation="mlp.act_fn",
    projections={
        "up": Projection("mlp.up_proj"),
        "down": Projection("mlp.down_proj"),
        "gate": Projection("mlp.gate_proj"),
    },
)
_FUSED = Family(
    layers="model.layers",
    activation="mlp.activation_fn",
    projections={
        "up": Projection("mlp.gate_up_proj", part=(1, 2)),
        "down": Projection("mlp.down_proj"),
        "gate": Projection("mlp.gate_up_proj", part=(0, 2)),
    },
)
_GPT2 = Family(
    layers="transformer.h",
    activation="mlp.act",
    projections={"up": Projection("mlp.c_fc"), "down": Projection("mlp.c_proj")},
)

FAMILIES: dict[str, Family] = {
    "llama": _GATED,
    "mistral": _GATED,
    "qwen2": _GATED,
    "qwen3": _GATED,
    "gemma2": _GATED,
    "olmo2": _GATED,
    "phi3": _FUSED,
    "gpt2": _GPT2,
}
_EXPERT_KEYS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a checkpoint by its config.json; InputError names what is supported."""
    kind = config.get("model_type", "")
    if any(config.get(key) for key in _EXPERT_KEYS):
        raise InputError(
            f"model family {kind!r} is a mixture of experts: a router decides which neurons a token can reach at all,"
            " so shares of activated neurons cannot be compared between languages; give a dense model"
        )
    if kind not in FAMILIES:
        raise InputError(f"model family {kind!r} is not supported; supported are: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[kind]

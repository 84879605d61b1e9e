"""Where a model family keeps the parts that SLAM reads and tunes. A new family is one entry in `FAMILIES`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slam_ray.config import InputError

WHOLE_LAYER = "layer"  # among the projections to tune: all of a layer's parameters, as the authors' code can


@dataclass(frozen=True)
class Projection:
    """A linear map of an FFN or an attention.

    Attributes:
        module: path of its module inside a layer.
        fused: the projections whose outputs lie one after the other in that module's weight, if it is not alone there.
    """

    module: str
    fused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """Names inside a Hugging Face causal language model.

    Attributes:
        layers: path of the list of decoder layers.
        activation: path, inside a layer, of the module that computes f(W_gate x), or f(W_in x) of an ungated FFN,
            f the activation function.
        projections: by name; an ungated FFN has no "gate".
        outputs_axis: of a projection's weight; 1 for the transposed weights of GPT-2.
        positions: key of config.json for the most tokens of a text.
    """

    layers: str
    activation: str
    projections: Mapping[str, Projection]
    outputs_axis: int = 0
    positions: str = "max_position_embeddings"

    def projection(self, name: str) -> Projection:
        """The projection `name`; InputError if this family has none."""
        if name not in self.projections:
            raise InputError(
                f"training.projections: this model's layers have no {name!r}; they have {', '.join(self.projections)}"
            )
        return self.projections[name]

    def parameter(self, layer: int, projection: str) -> str:
        """Name of the weight of a projection in a 0-based layer, as in the model's state dict."""
        return f"{self.layers}.{layer}.{self.projection(projection).module}.weight"


_GATE_UP, _QKV = ("gate", "up"), ("q", "k", "v")
_GATED = Family(
    layers="model.layers",
    activation="mlp.act_fn",
    projections={
        **{name: Projection(f"mlp.{name}_proj") for name in ("up", "down", "gate")},
        **{name: Projection(f"self_attn.{name}_proj") for name in ("q", "k", "v", "o")},
    },
)
_FUSED = Family(
    layers="model.layers",
    activation="mlp.activation_fn",
    projections={
        **{name: Projection("mlp.gate_up_proj", _GATE_UP) for name in _GATE_UP},
        "down": Projection("mlp.down_proj"),
        **{name: Projection("self_attn.qkv_proj", _QKV) for name in _QKV},
        "o": Projection("self_attn.o_proj"),
    },
)
_GPT2 = Family(
    layers="transformer.h",
    activation="mlp.act",
    projections={
        "up": Projection("mlp.c_fc"),
        "down": Projection("mlp.c_proj"),
        **{name: Projection("attn.c_attn", _QKV) for name in _QKV},
        "o": Projection("attn.c_proj"),
    },
    outputs_axis=1,
    positions="n_positions",
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
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise InputError(f"model family {kind!r} is not supported; supported are: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[kind]

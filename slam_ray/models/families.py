"""Where a model family keeps the parts that SLAM reads and tunes. A new family is one entry in `FAMILIES`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from slam_ray.config import InputError
from slam_ray.models.checkpoint import config_parts
from slam_ray.models.unsupported_families import unsupported_reason

# Among the projections to tune it stands for all parameters of a layer, which the authors' code can tune too.
WHOLE_LAYER = "layer"


@dataclass(frozen=True)
class Projection:
    """A linear map of an FFN or an attention.

    Attributes:
        module: path of its module inside a layer.
        fused: all projections that this module computes, in the order of their outputs, if there are several.
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
        outputs_axis: axis of a projection's weight along which its outputs lie; 1 for GPT-2's transposed weights.
        stored: how the tensors' names begin in the files -> in the model, if the model is the text part of a
            checkpoint. The tensors of its other parts begin with none of these.
        wider_window: tokens that a sliding layer was trained to see beyond those that transformers takes from the
            config's `sliding_window`.
    """

    layers: str
    activation: str
    projections: Mapping[str, Projection]
    outputs_axis: int = 0
    stored: Mapping[str, str] = field(default_factory=dict)
    wider_window: int = 0

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

    def loaded_name(self, stored: str) -> str:
        """What a tensor of the checkpoint's files is called in the model's state dict."""
        for before, after in self.stored.items():
            if stored.startswith(before):
                return after + stored.removeprefix(before)
        return stored

    def layer_of(self, stored: str) -> int | None:
        """The 0-based layer that a tensor of the checkpoint's files lies in; None if it lies in none."""
        prefix, name = f"{self.layers}.", self.loaded_name(stored)
        return int(name.removeprefix(prefix).partition(".")[0]) if name.startswith(prefix) else None


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
)
# The text part of a checkpoint that has a vision tower too. The first names are those of the published checkpoints, the
# second those that transformers writes now.
_GEMMA3 = replace(
    _GATED,
    stored={
        "language_model.model.": "model.",
        "model.language_model.": "model.",
        "language_model.lm_head.": "lm_head.",
    },
)

FAMILIES: dict[str, Family] = {
    "llama": _GATED,
    "mistral": _GATED,
    "qwen2": _GATED,
    "qwen3": _GATED,
    "gemma2": _GATED,
    "gemma3_text": _GATED,
    "gemma3": _GEMMA3,
    "olmo2": _GATED,
    "olmo3": _GATED,
    "smollm3": _GATED,
    "granite": _GATED,
    # Its windows hold the token itself as well, which vLLM gets right.
    "cohere2": replace(_GATED, wider_window=1),
    "phi3": _FUSED,
    "gpt2": _GPT2,
}
# Each is positive exactly where its input is, so f(W_gate x) > 0 says whether a neuron is activated.
ACTIVATIONS = (
    "relu", "relu2", "relu6", "leaky_relu", "silu", "swish", "mish", "quick_gelu", "gelu", "gelu_10", "gelu_accurate",
    "gelu_fast", "gelu_new", "gelu_python", "gelu_python_tanh", "gelu_pytorch_tanh",
)  # fmt: skip
_ACTIVATION_KEYS = ("hidden_act", "hidden_activation", "activation_function")


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a checkpoint by its config.json.

    Raises:
        InputError: it is not supported; the message says why, or what is.
    """
    kind = config.get("model_type", "")
    if reason := unsupported_reason(config):
        raise InputError(f"model family {kind!r} {reason}")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise InputError(f"model family {kind!r} is not supported; supported are: {', '.join(sorted(FAMILIES))}")
    text = config_parts(config)[-1]
    for key in _ACTIVATION_KEYS:
        if (named := text.get(key)) is not None and named not in ACTIVATIONS:
            raise InputError(
                f"config.json: {key} is {named!r}: whether a neuron is activated is read off the sign of its gate's"
                f" activation, one of {', '.join(ACTIVATIONS)}"
            )
    if text.get("use_bidirectional_attention"):
        raise InputError(
            "config.json: use_bidirectional_attention: the model reads its text in both directions, as one for"
            " embeddings does, and writes none; give a causal model"
        )
    return FAMILIES[kind]

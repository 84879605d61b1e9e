"""Where a model family keeps the parts that SLAM reads and tunes. A new family is one entry in `FAMILIES`."""

from dataclasses import dataclass

from slam_ray.config import InputError


@dataclass(frozen=True)
class Family:
    """Names inside a Hugging Face causal language model.

    Attributes:
        layers: path of the list of decoder layers.
        activation: path, inside a layer, of the module that computes f(W_gate x), f the activation function.
        projections: name of a projection -> path of its linear module inside a layer.
    """

    layers: str
    activation: str
    projections: dict[str, str]

    def parameter(self, layer: int, projection: str) -> str:
        """Name of the weight of a projection in a 0-based layer, as in the model's state dict."""
        return f"{self.layers}.{layer}.{self.projections[projection]}.weight"


_LLAMA = Family(
    layers="model.layers",
    activation="mlp.act_fn",
    projections={"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"},
)

FAMILIES: dict[str, Family] = {"llama": _LLAMA}


def family_of(model_type: str) -> Family:
    """The family of a checkpoint by the `model_type` of its config.json; InputError names the known ones."""
    if model_type not in FAMILIES:
        raise InputError(f"model family {model_type!r} is not supported; supported are: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[model_type]

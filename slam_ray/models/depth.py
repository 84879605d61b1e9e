"""How many layers a model has, by its config.json alone: no weights are read and transformers is not imported."""

from slam_ray.models.checkpoint import config_parts
from slam_ray.models.reference import ModelRef

KEYS = ("num_hidden_layers", "n_layer")  # the second is GPT-2's


def layer_count(model: ModelRef) -> int | None:
    """Layers of the model, of its text part where it has several; None where config.json leaves it to a default."""
    text = config_parts(model.config)[-1]
    return next((text[key] for key in KEYS if isinstance(text.get(key), int)), None)

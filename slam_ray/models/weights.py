"""The weights of a model: its base's tensors, and in place of some of them those that trainings made.

No copy of a base is written for a tuned model. Whatever reads a model's weights reads both here.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from slam_ray.models.checkpoint import weight_files
from slam_ray.models.reference import TRAINED_FILE, ModelRef

if TYPE_CHECKING:
    import torch


def trained_tensors(model: ModelRef) -> "dict[str, torch.Tensor]":
    """The tensors that trainings made, by their names in the base's files; of several the last training's."""
    from safetensors.torch import load_file

    deltas = [load_file(training.file(TRAINED_FILE)) for training in model.trained]
    return {name: tensor for delta in deltas for name, tensor in delta.items()}


def trained_layers(model: ModelRef) -> set[int]:
    """The 0-based layers of which a training made tensors."""
    layers = {model.family.layer_of(name) for name in trained_tensors(model)}
    return {layer for layer in layers if layer is not None}


def stored_tensors(
    model: ModelRef, wanted: Callable[[str], bool] = lambda name: True
) -> "Iterator[tuple[str, torch.Tensor]]":
    """Names in the base's files and values of the tensors that are `wanted`, each once; nothing else is read.

    Raises:
        ValueError: a trained tensor has none of its name and shape in the base.
    """
    from safetensors import safe_open

    trained = {name: tensor for name, tensor in trained_tensors(model).items() if wanted(name)}
    for file in weight_files(model.base):
        with safe_open(file, framework="pt") as stream:
            for name in filter(wanted, stream.keys()):
                tensor = trained.pop(name, None)
                if tensor is None:
                    tensor = stream.get_tensor(name)
                elif (shape := stream.get_slice(name).get_shape()) != list(tensor.shape):
                    raise ValueError(f"{name}: trained shape {list(tensor.shape)}, base {shape}")
                yield name, tensor
    if trained:
        raise ValueError(f"the base holds no tensors named {sorted(trained)}")

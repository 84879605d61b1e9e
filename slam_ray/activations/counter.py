"""One model replica that counts activated neurons, by hooks where f(W_gate x) is computed (Eq. 2-3). Imports torch."""

import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from slam_ray.activations.plan import Encoded
from slam_ray.config import InputError
from slam_ray.models.forward_pass import decode
from slam_ray.models.loading import load_model
from slam_ray.models.packing import PackedRow, TokenizedText, packed_row
from slam_ray.models.reference import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from slam_ray.models.families import Family


class Counter:
    """Counts at how many tokens each neuron is activated.

    Args:
        model: from `load_model`.
        family: where it keeps its layers and activations.
    """

    def __init__(self, model: "PreTrainedModel", family: "Family") -> None:
        self._model = model
        self._counted = torch.empty(0)
        layers: Any = model.get_submodule(family.layers)
        activations = [layer.get_submodule(family.activation) for layer in layers]
        assert len({id(module) for module in activations}) == len(layers), "layers share an activation module"
        self._activated: list[torch.Tensor] = [torch.empty(0)] * len(layers)
        for layer, module in enumerate(activations):
            module.register_forward_hook(lambda module, inputs, output, layer=layer: self._add(layer, output))

    @torch.inference_mode()
    def count(self, passes: Sequence[Sequence[Encoded]]) -> npt.NDArray[np.uint32]:
        """[layers, neurons]: the number of counted tokens at which a neuron is activated, over these forward passes.

        Raises:
            InputError: the model's states overflow in its dtype.
        """
        device = self._model.device
        self._activated = [torch.zeros((), dtype=torch.int32, device=device)] * len(self._activated)
        finite = torch.ones((), dtype=torch.bool, device=device)
        # Nothing here waits for a GPU before the last pass is on its way.
        for batch in passes:
            row = row_of(batch)
            self._counted = torch.from_numpy(counted_tokens(batch, row)).to(device)
            states = decode(self._model, row).last_hidden_state
            assert states is not None
            finite &= torch.isfinite(states).all()
        if not finite:
            raise InputError(f"the model's states are not finite in {self._model.dtype}; set another model.dtype")
        return torch.stack(self._activated).cpu().numpy().astype(np.uint32)

    def _add(self, layer: int, output: torch.Tensor) -> None:
        counted = output[0].index_select(0, self._counted) > 0
        self._activated[layer] = self._activated[layer] + counted.sum(dim=0, dtype=torch.int32)


def row_of(batch: Sequence[Encoded]) -> PackedRow:
    """The questions of a forward pass."""
    return packed_row([TokenizedText(np.array(each.tokens, np.int32), len(each.tokens)) for each in batch])


def counted_tokens(batch: Sequence[Encoded], row: PackedRow) -> npt.NDArray[np.int64]:
    """[counted tokens]: their indices in the row of these questions."""
    return np.concatenate(
        [np.arange(start + each.start, start + each.end) for start, each in zip(row.boundaries, batch, strict=False)]
    )


class CountingActor:
    """An actor of Ray Data with one model replica, which maps a unit of the plan to the unit's counts.

    An `InputError` is returned in the row: Ray Data would wrap one that is raised in an error and a stack of its own.
    """

    def __init__(self, model: ModelRef, dtype: str, device: str) -> None:
        # One thread: how a sum is split over threads decides its rounding.
        torch.set_num_threads(1)
        self._counter: Counter | InputError
        try:
            self._counter = Counter(load_model(model, dtype, device), model.family)
        except InputError as error:
            self._counter = error

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """The counts of one unit, [layers, neurons], or what is wrong; they do not depend on units counted before."""
        try:
            if isinstance(self._counter, InputError):
                raise self._counter
            counts = self._counter.count(pickle.loads(row["passes"]))
        except InputError as error:
            return {"unit": row["unit"], "activated": np.zeros((0, 0), np.uint32), "error": str(error)}
        return {"unit": row["unit"], "activated": counts, "error": ""}

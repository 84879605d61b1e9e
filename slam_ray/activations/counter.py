"""One model replica that counts activated neurons, by hooks where f(W_gate x) is computed (Eq. 2-3). Imports torch."""

import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils.rnn import pad_sequence

from slam_ray.activations.plan import Encoded
from slam_ray.config import InputError
from slam_ray.models.loading import load_model
from slam_ray.models.reference import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from slam_ray.models.families import Family


class Counter:
    """Counts at how many tokens each neuron is activated.

    Args:
        model: a causal language model in evaluation mode, on the device that counts.
        family: where it keeps its layers and activations.
    """

    def __init__(self, model: "PreTrainedModel", family: "Family") -> None:
        # The activations are computed without the language-model head.
        self._decoder: Any = model.base_model
        self._device = model.device
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
        zero = torch.zeros((), dtype=torch.int64, device=self._device)
        self._activated = [zero] * len(self._activated)
        for batch in passes:
            tokens, present = padded(batch)
            counted = torch.zeros_like(tokens, dtype=torch.bool)
            for row, question in enumerate(batch):
                counted[row, question.start : question.end] = True
            self._counted = counted.to(self._device)
            states = self._decoder(
                input_ids=tokens.to(self._device), attention_mask=present.to(self._device), use_cache=False
            ).last_hidden_state
            if not torch.isfinite(states[self._counted]).all():
                raise InputError(f"the model's states are not finite in {states.dtype}; set another model.dtype")
        return torch.stack(self._activated).cpu().numpy().astype(np.uint32)

    def _add(self, layer: int, output: torch.Tensor) -> None:
        self._activated[layer] = self._activated[layer] + (output[self._counted] > 0).sum(dim=0)


def padded(batch: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask of a forward pass, each [questions, tokens of the longest], int64."""
    tokens = pad_sequence([torch.tensor(question.tokens) for question in batch], batch_first=True)
    lengths = torch.tensor([len(question.tokens) for question in batch])
    return tokens, (torch.arange(tokens.shape[1]) < lengths[:, None]).long()


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

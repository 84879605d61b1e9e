"""The one forward pass over packed rows: for training, counting, hidden states and the losses on texts."""

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers.modeling_outputs import BaseModelOutputWithPast, BaseModelOutputWithPastAndCrossAttentions

from slam_ray.config import InputError
from slam_ray.models.context_length import ropes
from slam_ray.models.packed_attention import Texts
from slam_ray.models.packing import PackedRow

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Numbers in the scores of one chunk of targets, which exist several times in float32: 64 MiB each. A GPU, which would
# read the head's weights longer than it computes with them, takes more.
CHUNK_SCORES, GPU_CHUNK_SCORES = 2**24, 2**26


def decode(model: "PreTrainedModel", row: PackedRow, *, all_layers: bool = False) -> BaseModelOutputWithPast:
    """The hidden states of a row without the language-model head; each text has the states that it has alone.

    Args:
        model: from `load_model`.
        row: to compute.
        all_layers: the states behind every layer are wanted, not the last ones only.

    Raises:
        InputError: the model has attention of its own, or its RoPE one scale for all; either would mix the texts.
    """
    _check_scale(model, row)
    device = model.device
    texts = Texts(row.lengths, torch.from_numpy(row.boundaries.astype(np.int32)).to(device))
    decoder: Any = model.base_model
    output: BaseModelOutputWithPast = decoder(
        input_ids=torch.from_numpy(row.tokens)[None].to(device),
        position_ids=torch.from_numpy(row.positions)[None].to(device),
        use_cache=False,
        output_hidden_states=all_layers,
        texts=texts,
    )
    if texts.attended < decoder.config.num_hidden_layers:
        raise InputError(
            "model.path: the code of this model has attention of its own instead of transformers' interface for it, so"
            " that it cannot keep packed texts apart"
        )
    return output


def _check_scale(model: "PreTrainedModel", row: PackedRow) -> None:
    """Raise InputError if the longest text would change the positions of the others, which it shares a row with."""
    for rope in ropes(model.config):
        usual = rope.get("original_max_position_embeddings") or model.config.max_position_embeddings
        if rope["rope_type"] in ("longrope", "dynamic") and min(row.lengths) < max(row.lengths) > usual:
            raise InputError(
                f"model.path: this model scales the positions of a text of more than {usual} tokens, and with it those"
                f" of all texts beside it; here is one of {max(row.lengths)}: lower training.max_length to {usual}, or"
                " leave such questions out"
            )


class TargetLoss(torch.nn.Module):
    """A model as the summed negative log-likelihood of a row's targets, in nats: a scalar in at least float32."""

    def __init__(self, model: "PreTrainedModel") -> None:
        super().__init__()
        self.model = model
        self._head = _Head(model)

    def forward(self, row: PackedRow) -> torch.Tensor:
        """Score the vocabulary in chunks, and only where a target follows."""
        states = decode(self.model, row).last_hidden_state
        assert states is not None
        predicting, targets = (torch.from_numpy(each).to(states.device) for each in (row.predicting, row.targets))
        given = states[0, predicting]
        if not torch.is_grad_enabled():
            return torch.stack([self._head.loss(*chunk) for chunk in self._head.chunks(given, targets)]).sum()
        loss: torch.Tensor = _ChunkedLoss.apply(self._head, given, targets, *self._head.trained())
        return loss


class _Head:
    """What a model does behind its decoder, scaling and capping of the scores included: its own forward pass."""

    def __init__(self, model: "PreTrainedModel") -> None:
        self._decoder = _KnownStates()
        self._model = copy.copy(model)
        self._model._modules = model._modules | {model.base_model_prefix: self._decoder}

    def trained(self) -> list[torch.nn.Parameter]:
        """Its parameters that are trained."""
        return [weight for weight in self._model.parameters() if weight.requires_grad]

    def chunks(self, states: torch.Tensor, targets: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Parts of [targets, hidden] and [targets] whose scores fit."""
        scores = GPU_CHUNK_SCORES if states.is_cuda else CHUNK_SCORES
        size = max(1, scores // self._model.config.vocab_size)
        yield from zip(states.split(size), targets.split(size), strict=True)

    def loss(self, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The summed negative log-likelihood of [targets] given [targets, hidden]."""
        self._decoder.states = states[None]
        model: Any = self._model
        scores = model(input_ids=targets[None], use_cache=False).logits[0]
        precise = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return cross_entropy(precise, targets, reduction="sum")


class _KnownStates(torch.nn.Module):
    """Stands for the decoder, whose states are computed already."""

    states: torch.Tensor

    def forward(self, *_: Any, **__: Any) -> BaseModelOutputWithPastAndCrossAttentions:
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=self.states)  # type: ignore[arg-type]


class _ChunkedLoss(torch.autograd.Function):
    """The loss and at once its gradients, chunk by chunk, so that the scores of all targets never exist together."""

    @staticmethod
    def forward(
        ctx: Any, head: _Head, states: torch.Tensor, targets: torch.Tensor, *trained: torch.nn.Parameter
    ) -> torch.Tensor:
        losses, of_states = [], []
        of_trained = [torch.zeros_like(weight, dtype=torch.float32) for weight in trained]
        for chunk, wanted in head.chunks(states, targets):
            with torch.enable_grad():
                given = chunk.detach().requires_grad_()
                loss = head.loss(given, wanted)
            gradient, *others = torch.autograd.grad(loss, (given, *trained))
            losses.append(loss.detach())
            of_states.append(gradient)
            for total, part in zip(of_trained, others, strict=True):
                total.add_(part)
        ctx.save_for_backward(torch.cat(of_states), *of_trained)
        return torch.stack(losses).sum()

    @staticmethod
    def backward(ctx: Any, *outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (scale,) = outputs
        of_states, *of_trained = (gradient * scale for gradient in ctx.saved_tensors)
        return None, of_states, None, *of_trained

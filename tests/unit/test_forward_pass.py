"""Packed texts are computed as if each were alone, in every model family: against padded batches with all logits."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from slam_ray.config import InputError
from slam_ray.models import forward_pass
from slam_ray.models.families import FAMILIES
from slam_ray.models.forward_pass import TargetLoss, decode
from slam_ray.models.packing import TokenizedText, empty_row, rows_of_rank, target_tokens
from tests.models import VOCABULARY, WINDOW, loaded, tiny_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LENGTHS = (7, 40, 5, 24, 1 + WINDOW, WINDOW)


def texts(lengths: tuple[int, ...] = LENGTHS) -> list[TokenizedText]:
    random = np.random.default_rng(0)
    return [TokenizedText(random.integers(3, VOCABULARY, size, np.int32), size // 2) for size in lengths]


def padded_loss(model: "PreTrainedModel", examples: list[TokenizedText]) -> torch.Tensor:
    """The loss by transformers' own attention under a mask, with the logits of all tokens."""
    model.set_attn_implementation("eager")
    shape = len(examples), max(len(example.tokens) for example in examples)
    tokens, present, labels = torch.zeros(shape, dtype=torch.long), torch.zeros(shape), torch.full(shape, -100)
    for row, example in enumerate(examples):
        length = len(example.tokens)
        tokens[row, :length], present[row, :length] = torch.from_numpy(example.tokens), 1
        labels[row, example.prompt : length] = tokens[row, example.prompt : length]
    logits = model(input_ids=tokens, attention_mask=present).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_those_of_a_padded_batch(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward_pass, "CHUNK_SCORES", 10 * VOCABULARY)
    folder, examples = tiny_model(tmp_path, family), texts()
    model, reference = loaded(folder), loaded(folder)
    (row,) = rows_of_rank(examples, sum(LENGTHS))
    loss, padded = TargetLoss(model)(row), padded_loss(reference, examples)
    assert len(row.targets) > 30, "several chunks"
    assert loss.item() == pytest.approx(padded.item(), rel=1e-6)
    loss.backward()
    padded.backward()
    for (name, weight), expected in zip(model.named_parameters(), reference.parameters(), strict=True):
        assert weight.grad is not None, name
        assert expected.grad is not None, name
        difference, size = (weight.grad - expected.grad).abs().max(), expected.grad.abs().max()
        assert difference <= 1e-5 * size, name
    with torch.no_grad():
        assert TargetLoss(model)(row).item() == loss.item(), "without gradients"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_falls_as_that_of_a_padded_batch_does(family: str, tmp_path: Path) -> None:
    folder, examples = tiny_model(tmp_path, family), texts()
    model, reference = loaded(folder), loaded(folder)
    rows, curves = rows_of_rank(examples, 64), []
    assert len(rows) == 2
    for weights, gradients in (
        (model.parameters(), lambda: torch.stack([TargetLoss(model)(row) for row in rows]).sum()),
        (reference.parameters(), lambda: padded_loss(reference, examples)),
    ):
        optimizer, losses = torch.optim.AdamW(weights, lr=1e-3, weight_decay=0.0), []
        for _ in range(4):
            optimizer.zero_grad()
            loss = gradients() / target_tokens(examples)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        curves.append(losses)
    assert curves[0] == pytest.approx(curves[1], rel=1e-5)
    assert curves[0][-1] < 0.98 * curves[0][0]


@pytest.mark.parametrize("family", ["llama", "gemma2", "gemma3_text"])
def test_a_text_does_not_change_with_what_it_is_packed_with(family: str, tmp_path: Path) -> None:
    model, examples = loaded(tiny_model(tmp_path, family)), texts()
    (row,), (alone,) = rows_of_rank(examples, 200), rows_of_rank(examples[1:2], 200)
    assert row.lengths[0] == len(alone.tokens) == 40
    with torch.no_grad():
        together, single = (decode(model, each, all_layers=True).hidden_states for each in (row, alone))
    assert together is not None
    assert single is not None
    for layer in range(len(single)):
        torch.testing.assert_close(together[layer][0, :40], single[layer][0], rtol=1e-5, atol=1e-5)


def test_an_empty_row_has_gradients_of_zero(tmp_path: Path) -> None:
    model = loaded(tiny_model(tmp_path, "llama"))
    loss = TargetLoss(model)(empty_row())
    loss.backward()
    assert loss.item() == 0
    assert all(weight.grad is not None and not weight.grad.any() for weight in model.parameters())


def test_padding_is_refused(tmp_path: Path) -> None:
    model = loaded(tiny_model(tmp_path, "llama"))
    tokens = torch.arange(3, 13).reshape(2, 5)
    with pytest.raises(AssertionError, match="no padding"):
        model(input_ids=tokens, attention_mask=torch.tensor([[1] * 5, [1] * 3 + [0] * 2]))


def test_a_model_whose_attention_mixes_the_texts_is_refused(tmp_path: Path) -> None:
    model: Any = loaded(tiny_model(tmp_path, "llama"))
    attention = model.model.layers[2].self_attn
    own = attention.forward

    def forward(**arguments: Any) -> Any:
        arguments.pop("texts")
        return own(**arguments)

    attention.forward = forward
    with pytest.raises(InputError, match="attention of its own"):
        decode(model, empty_row())


def test_a_long_text_that_would_change_its_neighbours_is_refused(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "phi3")
    factors = {"short_factor": [1.0] * 16, "long_factor": [4.0] * 16}
    rope = {"rope_type": "longrope", "rope_theta": 1e4, **factors}
    file = folder / "config.json"
    changed = {"rope_parameters": rope, "original_max_position_embeddings": 32}
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    model = loaded(folder)
    for lengths in ((20, 32), (40, 40)):
        (row,) = rows_of_rank(texts(lengths), 100)
        reference = loaded(folder)
        with torch.no_grad():
            assert TargetLoss(model)(row).item() == pytest.approx(padded_loss(reference, texts(lengths)).item())
    (mixed,) = rows_of_rank(texts((20, 40)), 100)
    with pytest.raises(InputError, match=r"more than 32 tokens, .* here is one of 40: lower training\.max_length"):
        TargetLoss(model)(mixed)

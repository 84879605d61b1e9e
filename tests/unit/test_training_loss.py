"""Packed examples are computed as if each were alone, in every model family."""

from pathlib import Path

import numpy as np
import pytest
import torch

from slam_ray.models.families import FAMILIES
from slam_ray.training.batches import TokenizedExample, empty_row, rows_of_rank
from slam_ray.training.loss import negative_log_likelihood
from tests.models import VOCABULARY, loaded, tiny_model

CPU = torch.device("cpu")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_packed_row_is_worth_its_examples_alone(family: str, tmp_path: Path) -> None:
    model = loaded(tiny_model(tmp_path, family))
    random = np.random.default_rng(0)
    examples = [TokenizedExample(random.integers(3, VOCABULARY, size, np.int32), size // 2) for size in (7, 24, 5, 16)]
    (row,) = rows_of_rank(examples, 64, 0, 1)
    packed = negative_log_likelihood(model, row, CPU)
    alone = 0.0
    for example in examples:
        tokens = torch.from_numpy(example.tokens).long()
        with torch.no_grad():
            likelihoods = model(tokens[None]).logits[0, :-1].log_softmax(-1).gather(1, tokens[1:, None])
        alone -= likelihoods[example.prompt - 1 :].sum().item()
    assert packed.item() == pytest.approx(alone, rel=1e-6)


def test_an_empty_row_has_gradients_of_zero(tmp_path: Path) -> None:
    model = loaded(tiny_model(tmp_path, "llama"))
    loss = negative_log_likelihood(model, empty_row(), CPU)
    loss.backward()
    assert loss.item() == 0
    assert all(weight.grad is not None and not weight.grad.any() for weight in model.parameters())

"""The loss on English text, packed, against each text alone; a text that cannot be scored is said."""

from pathlib import Path

import pytest
import torch

from slam_ray.config import InputError
from slam_ray.evaluation.english_loss import TEXT_TOKENS, english_loss
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import base_model
from tests.models import loaded, tiny_model

TEXTS = ["The cat sat.", "", "A longer sentence about seven cats and a dog. " * 40, "Ann reads."]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_it_is_the_mean_over_the_tokens_of_each_text_alone(family: str, tmp_path: Path) -> None:
    base = base_model(str(tiny_model(tmp_path, family)))
    found = english_loss(TEXTS, base, "float32", "cpu")
    model, tokenizer = loaded(tmp_path), load_tokenizer(tmp_path)
    total, count = 0.0, 0
    for text in TEXTS:
        tokens = torch.tensor(tokenizer(text)["input_ids"][:TEXT_TOKENS])
        with torch.no_grad():
            likelihoods = model(tokens[None]).logits[0, :-1].log_softmax(-1).gather(1, tokens[1:, None])
        total, count = total - likelihoods.sum().item(), count + len(tokens) - 1
    assert not isinstance(found, InputError)
    assert (found.texts, found.tokens) == (3, count)
    assert count == len(TEXTS[0]) + TEXT_TOKENS - 1 + len(TEXTS[3])
    assert found.loss == pytest.approx(total / count, rel=1e-5)


def test_nothing_to_score_is_said(tmp_path: Path) -> None:
    base = base_model(str(tiny_model(tmp_path, "llama")))
    assert "corpora.english" in str(english_loss([""], base, "float32", "cpu"))

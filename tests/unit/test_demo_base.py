"""The demo's base model: its training is reproducible, and what ships is what the README says it is."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from slam_ray.config import PromptsConfig
from slam_ray.corpora.prompts import reasoning_prompt
from slam_ray.demo.make_data import DATA
from slam_ray.demo.mixture import LOW_RESOURCE, Mixture, training_texts
from slam_ray.demo.train_base import Phase, train_base
from slam_ray.models.loading import load_tokenizer
from tests.models import loaded

MODELS = DATA.parent / "models"
TINY = Phase("tiny", 4000, 1e-3, Mixture(0.4, 0.1, 0.2, 0.2, 0.1))


@pytest.fixture(scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


def test_training_is_reproducible_from_its_seed(tmp_path: Path, one_thread: None) -> None:
    for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
        train_base(seed, tmp_path / folder, (TINY,), (TINY,))
    weights = {folder: load_file(tmp_path / folder / "base" / "model.safetensors") for folder in "abc"}
    assert all(torch.equal(tensor, weights["b"][name]) for name, tensor in weights["a"].items())
    assert not all(torch.equal(tensor, weights["c"][name]) for name, tensor in weights["a"].items())
    log = [json.loads(line) for line in (tmp_path / "a" / "training_log.jsonl").read_text().splitlines()]
    assert log[-1]["tokens"] >= TINY.tokens
    assert log[-1]["loss"] < 8
    assert (tmp_path / "a/base/tokenizer.json").read_bytes() == (MODELS / "base/tokenizer.json").read_bytes()


@pytest.mark.parametrize("name", ["base", "pretrained"])
def test_the_shipped_model_has_the_promised_shape(name: str) -> None:
    config = json.loads((MODELS / name / "config.json").read_text())
    assert config["model_type"] == "llama"
    assert config["num_hidden_layers"] >= 8
    assert config["hidden_size"] // config["num_attention_heads"] == 32
    assert config["tie_word_embeddings"]
    size = sum(tensor.numel() for tensor in load_file(MODELS / name / "model.safetensors").values())
    assert 1.5e6 < size < 2.5e6


def test_both_shipped_models_read_with_the_same_tokenizer() -> None:
    assert (MODELS / "base/tokenizer.json").read_bytes() == (MODELS / "pretrained/tokenizer.json").read_bytes()


def test_the_base_reasons_in_english_and_the_pretrained_model_does_not(one_thread: None) -> None:
    lines = (DATA / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    english = [record for record in map(json.loads, lines) if record["language"] == "en"][:30]
    prompts = [reasoning_prompt(PromptsConfig(), record["question"]) for record in english]
    right = {}
    for name in ("base", "pretrained"):
        tokenizer = load_tokenizer(MODELS / name)
        tokenizer.padding_side = "left"
        model = loaded(MODELS / name)
        model.set_attn_implementation("sdpa")  # the project's own knows no padding and keeps no cache
        batch = tokenizer(prompts, return_tensors="pt", padding=True)
        batch.pop("token_type_ids", None)
        out = model.generate(**batch, max_new_tokens=90, do_sample=False)  # type: ignore[operator]
        said = tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        last = [(re.findall(r"\d+", text) or ["-1"])[-1] for text in said]
        right[name] = sum(int(number) == record["answer"] for number, record in zip(last, english, strict=True))
    assert right["base"] >= 26
    assert right["pretrained"] <= 10


def test_low_resource_languages_are_never_reasoned_in() -> None:
    tokenizer = load_tokenizer(MODELS / "base")
    import random

    stream = training_texts(Mixture(0, 0, 0, 0, 1), tokenizer, random.Random(0))
    text = " ".join(str(tokenizer.decode(next(stream).tokens)) for _ in range(300))
    assert "কাছে" not in text
    assert "มี" not in text
    assert " ana " not in text
    assert set(LOW_RESOURCE) == {"bn", "th", "sw"}

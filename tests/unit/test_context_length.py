"""How long a text a model takes, and how long a context an engine has for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import InputError, PromptsConfig
from slam_ray.corpora import Pair, Question
from slam_ray.evaluation.engine import engine_context
from slam_ray.models.context_length import ContextLength, context_length
from slam_ray.models.reference import ModelRef, base_model
from slam_ray.recipes.checks import Prompted, Samples, check_samples
from tests.configs import run_config
from tests.corpora import cases
from tests.models import tiny_model

LONG = {"rope_type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
PHI = {"model_type": "phi3", "max_position_embeddings": 131072, "original_max_position_embeddings": 4096}


def model_of(folder: Path, config: dict[str, Any]) -> ModelRef:
    (folder / "config.json").write_text(json.dumps(config))
    return ModelRef(folder, ())


@pytest.mark.parametrize("case", cases("context_lengths")["right"], ids=lambda case: case["config"]["model_type"])
def test_the_context_is_the_models_own(case: dict[str, Any], tmp_path: Path) -> None:
    model = model_of(tmp_path, case["config"])
    context = context_length(model, None)
    assert context.tokens == case["tokens"]
    assert case["said"] in context.limit
    assert context_length(model, context.tokens - 1).tokens == context.tokens - 1


@pytest.mark.parametrize("case", cases("context_lengths")["wrong"], ids=lambda case: case["said"])
def test_a_config_that_says_no_length_is_named(case: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        context_length(model_of(tmp_path, case["config"]), None)
    assert case["said"] in str(caught.value)
    assert str(tmp_path / "config.json") in str(caught.value)


def test_an_engine_has_no_longer_a_context_than_its_problems_need() -> None:
    qwen = ContextLength(40960, "")
    assert [engine_context(qwen, longest) for longest in (100, 8192, 8193, 16500, 40960)] == [
        8192,
        8192,
        16384,
        24576,
        40960,
    ]
    assert engine_context(ContextLength(512, ""), 100) == 512


def test_a_long_rope_keeps_its_short_factors_where_all_problems_are_short(tmp_path: Path) -> None:
    context = context_length(model_of(tmp_path, PHI | {"rope_scaling": LONG}), None)
    assert (context.tokens, context.short) == (131072, 4096)
    assert [engine_context(context, longest) for longest in (4096, 4097)] == [4096, 8192]


def test_what_a_model_cannot_even_read_is_named(tmp_path: Path) -> None:
    model = base_model(str(tiny_model(tmp_path, "gpt2", positions=100)))
    config = run_config()
    counted = Prompted([Question("q", "sw", "Asha ana mayai 7.")], PromptsConfig())
    with pytest.raises(InputError, match=r"question q in sw with its prompt takes \d+ tokens, .* 100 tokens \(n_posit"):
        check_samples(config, model, Samples([], counted=counted))
    pairs = [Pair("p", "sw", "question", "Asha ana mayai 7." * n, "Asha has 7 eggs." * n) for n in (1, 9)]
    with pytest.raises(InputError, match=r"the pair 'p' .* do not fit the model's own .*; lower training.max_length"):
        check_samples(config, model, Samples([], pairs=pairs))

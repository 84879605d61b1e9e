"""How long a text a model takes, and how long a context an engine has for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import InputError, PromptsConfig, RunConfig
from slam_ray.corpora import Pair, Question
from slam_ray.evaluation.engine import engine_context
from slam_ray.models.context import ContextLength, context_length
from slam_ray.models.reference import ModelRef, base_model
from slam_ray.recipes.texts import Problems, Texts, looked_at
from tests.models import tiny_model

LONG = {"rope_type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
PHI = {"model_type": "phi3", "max_position_embeddings": 131072, "original_max_position_embeddings": 4096}
GEMMA = {
    "sliding_window": 512,
    "max_position_embeddings": 32768,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
}


def model_of(folder: Path, config: dict[str, Any]) -> ModelRef:
    (folder / "config.json").write_text(json.dumps(config))
    return ModelRef(folder, ())


@pytest.mark.parametrize(
    ("config", "tokens", "said"),
    [
        ({"model_type": "qwen3", "max_position_embeddings": 40960}, 40960, "(max_position_embeddings)"),
        ({"model_type": "gpt2", "n_positions": 512}, 512, "(n_positions)"),
        ({"model_type": "llama"}, 2048, "the default of llama: config.json gives none"),
        ({"model_type": "gpt2"}, 1024, "n_positions, the default of gpt2"),
        # A window limits how far a token looks back, not the text.
        ({"model_type": "mistral", "max_position_embeddings": 32768, "sliding_window": 4096}, 32768, ""),
        (
            {"model_type": "llama", "max_position_embeddings": 4096, "max_sequence_length": 2048},
            2048,
            "max_sequence_len",
        ),
        ({"model_type": "cohere2", "max_position_embeddings": 8192, "model_max_length": 131072}, 131072, ""),
        ({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", **GEMMA}}, 32768, ""),
        (
            {"model_type": "llama", "max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.0}},
            8192,
            "max_position_embeddings 4096 times the factor 2 of its linear RoPE scaling",
        ),
        # vLLM computes no more positions than that, so that others would be read from behind the table's end.
        (
            {
                "model_type": "llama",
                "max_position_embeddings": 4096,
                "rope_scaling": {"type": "dynamic", "factor": 2.0},
            },
            4096,
            "",
        ),
        (
            {
                "model_type": "qwen2",
                "max_position_embeddings": 131072,
                "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
            "",
        ),
    ],
)
def test_the_context_is_the_models_own(config: dict[str, Any], tokens: int, said: str, tmp_path: Path) -> None:
    context = context_length(model_of(tmp_path, config), None)
    assert context.tokens == tokens
    assert said in context.limit
    assert context_length(model_of(tmp_path, config), tokens - 1).tokens == tokens - 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "llama", "max_position_embeddings": "long"}, "max_position_embeddings"),
        (
            {"model_type": "llama", "max_position_embeddings": 0},
            "max_position_embeddings is 0; give a number of tokens",
        ),
        (
            {"model_type": "llama", "rope_scaling": {"type": "yarn"}},
            "config.json is no configuration that transformers",
        ),
    ],
)
def test_a_config_that_says_no_length_is_named(config: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        context_length(model_of(tmp_path, config), None)
    assert said in str(caught.value)
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
    values = {"name": "r", "storage": "s", "model": {"path": str(tmp_path)}, "corpora": {"benchmarks": {"b": "b"}}}
    config = RunConfig.model_validate(values)
    asked = Problems([Question("q", "sw", "Asha ana mayai 7.")], PromptsConfig())
    with pytest.raises(InputError, match=r"question q in sw with its prompt takes \d+ tokens, .* 100 tokens \(n_posit"):
        looked_at(config, model, Texts([], counted=asked))
    pairs = [Pair("p", "sw", "question", "Asha ana mayai 7." * n, "Asha has 7 eggs." * n) for n in (1, 9)]
    with pytest.raises(InputError, match=r"the pair 'p' .* do not fit the model's own .*; lower training.max_length"):
        looked_at(config, model, Texts([], pairs=pairs))

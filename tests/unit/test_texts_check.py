"""What a dry run, and a run before its first worker, say of texts as the model's tokens."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from slam_ray.config import InputError, PromptsConfig, RunConfig
from slam_ray.corpora import Pair, Question
from slam_ray.models.reference import ModelRef, base_model
from slam_ray.recipes.checks import Prompted, Samples, check_samples, sample
from tests.models import CHAT_TEMPLATE, tiny_llama

JOB = Path(__file__).parents[2] / "jobs" / "evaluate_model.py"
ASKED = [Question("1", "en", "Nia has 2 pens."), Question("1", "sw", "Nia ana kalamu 2.")]
TEXTS = Samples(
    answered=[Prompted(ASKED, PromptsConfig())],
    counted=Prompted(ASKED, PromptsConfig()),
    pairs=[Pair("1", "sw", "question", "Nia ana kalamu 2.", "Nia has 2 pens.")],
    english=[Question("e", "en", "A pen.")],
)


@pytest.fixture
def model(tmp_path: Path) -> ModelRef:
    return base_model(str(tiny_llama(tmp_path / "model", layers=1)))


def config(model: ModelRef, **more: Any) -> RunConfig:
    values = {"name": "r", "storage": "s", "model": {"path": str(model.base)}, "corpora": {"benchmarks": {"b": "b"}}}
    return RunConfig.model_validate({**values, **more})


def without_beginning(model: ModelRef, **settings: str) -> ModelRef:
    """The model with a tokenizer that puts nothing in front, and other settings."""
    file = str(model.base / "tokenizer.json")
    tokenizer = Tokenizer.from_file(file)
    tokenizer.post_processor = None
    tokenizer.save(file)
    for name in ("config.json", "tokenizer_config.json"):
        changed = json.loads((model.base / name).read_text()) | settings
        (model.base / name).write_text(json.dumps(changed))
    return replace(model)


def test_a_usual_model_and_usual_texts_pass_without_a_word(model: ModelRef) -> None:
    for text in ("question", "prompt", "answer"):
        assert check_samples(config(model, activations={"text": text}), model, TEXTS) == []


def test_a_beginning_that_a_llama_lacks_is_spoken_of(model: ModelRef) -> None:
    (note,) = check_samples(config(model), without_beginning(model), TEXTS)
    assert note.startswith(f"note: the tokenizer in {model.base} puts no beginning of sequence (<s>)")


@pytest.mark.parametrize("family", ["gemma2", "gemma3", "gemma3_text"])
def test_a_gemma_without_its_beginning_is_refused(family: str, model: ModelRef) -> None:
    bare = without_beginning(model, model_type=family)
    with pytest.raises(InputError, match=rf"puts no beginning of sequence \(<bos>\).*'{family}' write nonsense"):
        check_samples(config(model), bare, TEXTS)
    # A chat template that writes it is enough where nothing else is read.
    (model.base / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    answered = [Prompted(ASKED, PromptsConfig(chat=True))]
    assert check_samples(config(model), bare, Samples(answered)) == []


@pytest.mark.parametrize(
    ("family", "word"),
    [
        *((family, "</s>") for family in ("qwen2", "qwen3", "gpt2", "olmo2", "olmo3", "smollm3", "granite")),
        ("phi3", "<s>"),
        ("llama", "<|im_start|>"),
    ],
)
def test_models_that_were_trained_without_a_beginning_pass(family: str, word: str, model: ModelRef) -> None:
    bare = without_beginning(model, model_type=family, bos_token=word)
    assert check_samples(config(model), bare, Samples(TEXTS.answered, pairs=TEXTS.pairs)) == []


@pytest.mark.parametrize(
    ("more", "texts", "said"),
    [
        ({"evaluation": {"max_new_tokens": 900}}, TEXTS, r"problem '1' \(sw\): its prompt of 183 tokens"),
        (
            {"activations": {"token_budget": 100}},
            TEXTS,
            r"activations\.token_budget is 100, but question 1 in",
        ),
        ({"training": {"max_length": 50}}, TEXTS, r"no translation pair has at most 50 tokens"),
        ({}, replace(TEXTS, counted=Prompted([Question("2", "en", "")], PromptsConfig())), "question 2 in en has no"),
        ({}, replace(TEXTS, english=[Question("e", "en", "A</s>")]), r"corpora\.english: the text 'A</s>' holds"),
        ({}, replace(TEXTS, answered=[Prompted(ASKED, PromptsConfig(chat=True))]), r"prompts\.chat: the model's chat"),
    ],
)
def test_what_is_wrong_is_said(more: dict[str, Any], texts: Samples, said: str, model: ModelRef) -> None:
    with pytest.raises(InputError, match=said):
        check_samples(config(model, **more), model, texts)


def test_a_tokenizer_that_cannot_be_loaded_is_named(model: ModelRef) -> None:
    (model.base / "tokenizer.json").write_text('{"model": {}}')
    with pytest.raises(InputError, match=rf"model\.path: the tokenizer in {model.base} cannot be loaded: "):
        check_samples(config(model), model, TEXTS)


def test_the_longest_shortest_and_odd_texts_of_each_language_are_check_samples() -> None:
    texts = [Question(str(length), language, "a" * length) for language in ("en", "sw") for length in range(1, 200)]
    odd = Question("odd", "sw", "<s>" + "a" * 100)
    chosen = sample([odd, *texts])
    assert {text.language for text in chosen if text.id == "1"} == {"en", "sw"}
    assert {text.language for text in chosen if text.id == "199"} == {"en", "sw"}
    assert odd in chosen
    assert len(chosen) == 81
    assert sample(texts[:3]) == texts[:3]


def test_a_dry_run_and_a_run_meet_a_template_before_any_worker(model: ModelRef, tmp_path: Path) -> None:
    (model.base / "chat_template.jinja").write_text("{{ raise_exception('Say who you are') }}")
    (tmp_path / "q.jsonl").write_text(json.dumps({"id": "1", "language": "en", "question": "1+1?", "answer": 2}))
    command = [sys.executable, str(JOB), str(model.base), "--storage", str(tmp_path / "s"), "--prompts.chat", "true"]
    command += ["--corpora.benchmarks.own", str(tmp_path / "q.jsonl")]
    for more in (["--dry-run"], []):
        ended = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        said = "error: prompts.chat: the model's chat template cannot be used: Say who you are\n"
        assert (ended.returncode, ended.stderr) == (2, said)

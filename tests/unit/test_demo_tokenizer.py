"""The shipped tokenizer keeps words whole, digits apart, and the borders of the question recoverable."""

import json
import re
from typing import Any

import pytest

from slam_ray.config import PromptsConfig
from slam_ray.corpora.prompts import ask, translation_prompt
from slam_ray.demo.grammar import UNSPACED, marked_words, question, solution
from slam_ray.demo.make_data import DATA, distinct
from slam_ray.models.loading import load_tokenizer

MODELS = DATA.parent / "models"
Texts = list[tuple[str, str]]  # language and question


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(MODELS / "base")


@pytest.fixture(scope="module")
def dev() -> Texts:
    lines = (DATA / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    return [(record["language"], record["question"]) for record in map(json.loads, lines)]


def test_one_beginning_of_text_and_the_text_comes_back(tokenizer: Any, dev: Texts) -> None:
    for _, text in dev:
        ids = tokenizer(text).input_ids
        assert ids.count(tokenizer.bos_token_id) == 1
        assert ids[0] == tokenizer.bos_token_id
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_the_question_inside_its_prompt_is_exactly_some_tokens(tokenizer: Any, dev: Texts) -> None:
    for (_, text), filled in zip(dev, ask(PromptsConfig(), [text for _, text in dev], tokenizer), strict=True):
        assert (filled.start, filled.end) == (2, len(filled.tokens) - 1)
        assert list(filled.tokens[2:-1]) == tokenizer(text, add_special_tokens=False).input_ids


def test_translation_prompts_are_two_tokens_around_the_source(tokenizer: Any, dev: Texts) -> None:
    for language, text in dev:
        if language != "en":
            ids = tokenizer(translation_prompt(PromptsConfig(), language, text)).input_ids
            assert ids[2:-1] == tokenizer(text, add_special_tokens=False).input_ids


def test_digits_stand_alone(tokenizer: Any) -> None:
    tokens = [tokenizer.decode(index) for index in tokenizer("12+5=17, 38個", add_special_tokens=False).input_ids]
    assert tokens[:7] == ["1", "2", "+", "5", "=", "1", "7"]
    assert tokens[-3:] == ["3", "8", "個"]


@pytest.mark.parametrize("language", UNSPACED)
def test_words_of_unspaced_scripts_are_single_tokens(tokenizer: Any, language: str) -> None:
    for problem in distinct("dev", 60):
        texts = question(problem, language), solution(problem, language)
        pieces = [tokenizer.decode(index).strip() for text in texts for index in tokenizer(text).input_ids[1:]]
        assert [piece for piece in pieces if re.search(r"[^\W\d]", piece)] == marked_words(problem, language)

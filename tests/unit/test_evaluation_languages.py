"""The language of a response, on solutions of our own wording: short and long, with figures, formulas and labels."""

import json
from pathlib import Path
from typing import Any

import pytest

from slam_ray.cli import main
from slam_ray.corpora.languages import LANGUAGES
from slam_ray.evaluation.extraction import extract
from slam_ray.evaluation.response_language import is_recognised, response_language
from tests.corpora import cases

CASES = cases("response_languages")
TURKISH = "Lena her gün dokuz sepet satıyor ve on sekiz avro kazanıyor."


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['written']}: {case['response'][:20]}")
def test_the_language_of_a_response(case: dict[str, Any]) -> None:
    assert response_language(case["response"], case["asked"]) == case["written"]


def test_every_known_language_is_among_the_cases() -> None:
    assert {case["written"] for case in CASES} >= set(LANGUAGES)


def test_a_language_that_nobody_asked_in_is_not_told() -> None:
    assert response_language(TURKISH, "tr") == "tr"
    assert response_language(TURKISH, "en") != "tr"


def test_languages_that_the_identifier_tells() -> None:
    assert [is_recognised(code) for code in ("sw", "yo", "yor", "tw", "qaa")] == [True, True, True, False, False]


@pytest.mark.parametrize("language", ["yo", "tw", "qaa"])
def test_an_answer_announced_in_english_is_read_in_any_language(language: str) -> None:
    assert extract("18 + 12 = 30. The answer is 30. That is 5 each.", language, "strict") == 30.0
    assert extract("Mmuaeɛ no yɛ aduasa. 30", language, "strict") == 30.0


def test_the_command_says_that_it_does_not_know_a_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "responses.jsonl"
    file.write_text('{"response": "The answer is 18.", "answer": 18}\n')
    assert main(["score", str(file), "--language", "yo", "--extractor", "strict"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["accuracy"] == 100
    assert said.err == "language 'yo' is not known: looking for answers announced in English\n"
    for code, part in (("swa", "write 'sw' for Swahili, not 'swa'"), ("xx", "'xx' is no code of ISO 639")):
        assert main(["score", str(file), "--language", code]) == 2
        assert part in capsys.readouterr().err

"""Responses to questions in languages that the project does not know: what they are in, and how they are read."""

import json
from pathlib import Path

import pytest

from jobs import score_responses
from slam_ray.evaluation.extraction import extract
from slam_ray.evaluation.languages import UNCLEAR, is_recognised, written_in

ENGLISH = "Each box holds six oranges, so Kofi has thirty in total. The answer is 30."
SWAHILI = "Kila sanduku lina machungwa sita. Jibu ni thelathini."
YORUBA = "Ama ra ìwé mẹ́ta ó sì fún àbúrò rẹ̀ ní ọ̀kan. Ìdáhùn náà jẹ́ mẹ́wàá."
TWI = "Kofi wɔ adaka num, na adaka biara mu wɔ akutu nsia. Mmuaeɛ no yɛ aduasa."


@pytest.mark.parametrize(
    ("response", "asked", "written"),
    [
        (YORUBA, "yo", "yo"),
        (YORUBA, "yor", "yor"),
        (ENGLISH, "yo", "en"),
        (TWI, "tw", UNCLEAR),
        (ENGLISH, "tw", "en"),
        (SWAHILI, "tw", "sw"),
    ],
)
def test_the_language_of_a_response_to_a_question_in_an_added_language(response: str, asked: str, written: str) -> None:
    assert written_in(response, asked) == written


def test_languages_that_the_identifier_tells() -> None:
    assert [is_recognised(code) for code in ("sw", "yo", "yor", "tw", "qaa")] == [True, True, True, False, False]


@pytest.mark.parametrize("language", ["yo", "tw", "qaa"])
def test_an_answer_announced_in_english_is_read_in_any_language(language: str) -> None:
    assert extract("18 + 12 = 30. The answer is 30. That is 5 each.", language, "strict") == 30.0
    assert extract(f"{TWI} 30", language, "strict") == 30.0


def test_the_job_says_that_it_does_not_know_a_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "responses.jsonl"
    file.write_text('{"response": "The answer is 18.", "answer": 18}\n')
    assert score_responses.main([str(file), "--language", "yo", "--extractor", "strict"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["accuracy"] == 100
    assert said.err == "language 'yo' is not known: looking for answers announced in English\n"
    for code, part in (("swa", "write 'sw' for Swahili, not 'swa'"), ("xx", "'xx' is no code of ISO 639")):
        assert score_responses.main([str(file), "--language", code]) == 2
        assert part in capsys.readouterr().err

"""Problems to choose on: named, or held out of the questions; never trained on, never of a reported benchmark."""

import json
from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import InputError, RunConfig
from slam_ray.corpora import (
    pairs_step,
    problems_step,
    questions_step,
    read_problems,
    read_questions,
    validation_leakage_step,
    validation_step,
)
from slam_ray.corpora.leakage import ValidationLeakageResult
from slam_ray.corpora.splits import held_out_ids
from slam_ray.search.shared import shared_steps
from slam_ray.search.space import Space
from slam_ray.store.step import Step
from tests.configs import run_config
from tests.corpora import made
from tests.models import tiny_llama

LANGUAGES = ("en", "sw")


def rows(name: str, number: int = 20) -> list[dict[str, Any]]:
    return [
        {"id": f"{name}-{place}", "language": code, "question": f"{code} {name} {place}?", "answer": place}
        for code in LANGUAGES
        for place in range(number)
    ]


def config(folder: Path, validation: list[dict[str, Any]] | None, held_out: float = 0, model: str = "m") -> RunConfig:
    """Questions with answers, pairs that translate them, a test, and problems to choose on if any are named."""
    pairs = [
        {"id": row["id"], "language": "sw", "kind": "question", "source": row["question"],
         "english": row["question"].replace("sw", "en")}
        for row in rows("question") if row["language"] == "sw"
    ]  # fmt: skip
    files = {"questions": rows("question"), "pairs": pairs, "test": rows("test"), "validation": validation or []}
    for name, each in files.items():
        (folder / name).with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in each))
    return run_config(
        model={"path": model},
        corpora={
            "questions": str(folder / "questions.jsonl"),
            "pairs": str(folder / "pairs.jsonl"),
            "benchmarks": {"test": str(folder / "test.jsonl")},
            "held_out": held_out,
        },
        search={"rung_problems": 3, "pairs": 5, "problems": str(folder / "validation.jsonl") if validation else None},
    )


def leakage(wanted: RunConfig) -> Step[ValidationLeakageResult]:
    questions, validation = questions_step(wanted), validation_step(wanted, None)
    problems = {"test": problems_step(wanted, "test")}
    return validation_leakage_step(wanted, validation, questions, pairs_step(wanted, questions), problems)


def test_named_problems_and_the_first_of_them_for_a_rung(tmp_path: Path) -> None:
    wanted = config(tmp_path, rows("dev"), model=str(tiny_llama(tmp_path / "model", layers=1)))
    shared, _ = shared_steps(wanted, Space({}, {}, {}))
    assert isinstance(shared.validation.problems, Step)
    assert len(read_problems(made(shared.validation.problems, tmp_path))) == 40
    assert isinstance(shared.rung.problems, Step)
    rung = read_problems(made(shared.rung.problems, tmp_path))
    assert [(problem.language, problem.id) for problem in rung] == [
        (code, f"dev-{place}") for code in LANGUAGES for place in range(3)
    ]
    assert isinstance(shared.pairs, Step)
    assert made(shared.pairs, tmp_path).result.records == {"sw": 5}
    assert made(leakage(wanted), tmp_path).result.problems == 20


def test_held_out_problems_where_none_are_named(tmp_path: Path) -> None:
    wanted = config(tmp_path, None, held_out=0.4)
    held_out = held_out_ids((row["id"] for row in rows("question")), 0.4, 0)
    validation = {problem.id for problem in read_problems(made(validation_step(wanted, None), tmp_path))}
    assert validation == held_out
    assert 2 < len(held_out) < 18
    questions = read_questions(made(questions_step(wanted), tmp_path))
    assert validation.isdisjoint(question.id for question in questions)
    assert made(leakage(wanted), tmp_path).result.problems == len(held_out)


@pytest.mark.parametrize(
    ("validation", "said"),
    [
        (None, "search.problems is missing"),
        (rows("test")[:1] + rows("dev"), "1 of its 21 English problems are also in corpora.benchmarks."),
        (rows("question"), "in corpora.questions, which are counted"),
        ([row for row in rows("dev") if row["language"] == "en"], "in every other language; got 20 in en"),
    ],
    ids=["none", "tested", "counted", "English alone"],
)
def test_a_choice_that_would_say_nothing_is_refused(
    tmp_path: Path, validation: list[dict[str, Any]] | None, said: str
) -> None:
    with pytest.raises(InputError) as error:
        made(leakage(config(tmp_path, validation)), tmp_path)
    assert said in str(error.value)

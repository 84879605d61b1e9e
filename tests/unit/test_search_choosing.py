"""Problems to choose on: named, or held out of the questions; never trained on, never of a reported benchmark."""

import json
from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import ExecutionConfig, InputError, RunConfig
from slam_ray.corpora import read_problems, read_questions
from slam_ray.corpora.splits import held_out
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.stages import run
from slam_ray.pipeline.storage import Storage
from slam_ray.search.search import CHOOSING, PAIRS, RUNG, text_stages

LANGUAGES = ("en", "sw")


def problems(name: str, number: int = 20) -> list[dict[str, Any]]:
    return [
        {"id": f"{name}-{place}", "language": code, "question": f"{code} {name} {place}?", "answer": place}
        for code in LANGUAGES
        for place in range(number)
    ]


def config(folder: Path, choosing: list[dict[str, Any]] | None, **more: Any) -> RunConfig:
    """Questions with answers, pairs that translate them, a test, and problems to choose on if there are any."""
    pairs = [
        {"id": row["id"], "language": "sw", "kind": "question", "source": row["question"],
         "english": row["question"].replace("sw", "en")}
        for row in problems("question") if row["language"] == "sw"
    ]  # fmt: skip
    files = {"questions": problems("question"), "pairs": pairs, "test": problems("test"), "choosing": choosing or []}
    for name, rows in files.items():
        (folder / name).with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    search = {"rung_problems": 3, "pairs": 5, "problems": str(folder / "choosing.jsonl") if choosing else None}
    values = {
        "name": "c",
        "storage": str(folder / "storage"),
        "model": {"path": str(folder)},
        "corpora": {
            "questions": str(folder / "questions.jsonl"),
            "pairs": str(folder / "pairs.jsonl"),
            "benchmarks": {"test": str(folder / "test.jsonl")},
            **more,
        },
        "search": search,
    }
    return RunConfig.model_validate(values)


def prepared(config: RunConfig) -> dict[str, Any]:
    with Context(ExecutionConfig()) as context:
        return run(text_stages(config), Storage(Path(config.storage)), context)


def test_named_problems_and_the_first_of_them_for_a_rung(tmp_path: Path) -> None:
    done = prepared(config(tmp_path, problems("dev")))
    assert len(read_problems(done[CHOOSING])) == 40
    rung = read_problems(done[RUNG])
    assert [(problem.language, problem.id) for problem in rung] == [
        (code, f"dev-{place}") for code in LANGUAGES for place in range(3)
    ]
    assert done[PAIRS].result.records == {"sw": 5}
    assert done["pairs"].result.records == {"sw": 20}


def test_held_out_problems_where_none_are_named(tmp_path: Path) -> None:
    done = prepared(config(tmp_path, None, held_out=0.4))
    away = held_out((row["id"] for row in problems("question")), 0.4, 0)
    chosen = {problem.id for problem in read_problems(done[CHOOSING])}
    assert chosen == away
    assert 2 < len(away) < 18
    assert chosen.isdisjoint(question.id for question in read_questions(done["questions"]))


@pytest.mark.parametrize(
    ("choosing", "more", "said"),
    [
        (None, {}, "search.problems is missing"),
        (problems("test")[:1] + problems("dev"), {}, "1 of its 21 English problems are also in corpora.benchmarks."),
        (problems("question"), {}, "in corpora.questions, which are counted"),
        ([row for row in problems("dev") if row["language"] == "en"], {}, "in every other language; got 20 in en"),
    ],
)  # fmt: skip
def test_a_choice_that_would_say_nothing_is_refused(
    tmp_path: Path, choosing: list[dict[str, Any]] | None, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as error:
        prepared(config(tmp_path, choosing, **more))
    assert said in str(error.value)

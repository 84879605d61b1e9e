"""Corpora: what is read, and what is said about a line that cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import ExecutionConfig, InputError, PromptsConfig, RunConfig
from slam_ray.corpora import (
    Pair,
    Problem,
    Question,
    pairs_step,
    problems_step,
    questions_step,
)
from slam_ray.corpora.prepare import read_pairs, read_problems, read_questions
from slam_ray.corpora.prompts import question_span, reasoning_prompt, translation_prompt
from slam_ray.corpora.sources import read_jsonl
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.step import Artifact, Step
from slam_ray.pipeline.storage import Storage

QUESTIONS = [
    {"id": str(i), "language": code, "question": f"{code} {i}?"} for code in ("sw", "en", "bn") for i in range(4)
]
PAIRS = [
    {
        "id": str(i),
        "language": code,
        "kind": kind,
        "source": f"{code} {i} {kind}",
        "english": f"en {i} {kind}",
    }
    for code in ("sw", "bn", "de")
    for i in range(3)
    for kind in ("question", "answer")
]
PROBLEMS = [
    {"id": str(i), "language": code, "question": f"{code} {i}?", "answer": i}
    for code in ("sw", "en", "bn")
    for i in range(3)
]


def lines(file: Path, records: list[dict[str, Any]]) -> str:
    file.write_text(
        "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records),
        encoding="utf-8",
    )
    return str(file)


def config(tmp_path: Path, **changes: Any) -> RunConfig:
    corpora = {
        "questions": lines(tmp_path / "q.jsonl", changes.pop("questions", QUESTIONS)),
        "pairs": lines(tmp_path / "p.jsonl", changes.pop("pairs", PAIRS)),
        "benchmarks": {"own": lines(tmp_path / "b.jsonl", changes.pop("problems", PROBLEMS))},
        "languages": changes.pop("languages", None),
    }
    return RunConfig(
        name="t",
        storage=str(tmp_path / "s"),
        model={"path": "m"},
        corpora=corpora,
        **changes,
    )


def made(step: Step[Any], tmp_path: Path) -> Artifact[Any]:
    with Context(ExecutionConfig()) as context:
        return Storage(tmp_path / "s").make(step, context)


def test_questions_are_parallel_and_english_first(tmp_path: Path) -> None:
    kept = [record for record in QUESTIONS if (record["language"], record["id"]) != ("bn", "1")]
    artifact = made(questions_step(config(tmp_path, questions=kept)), tmp_path)
    assert artifact.result.languages == ("en", "bn", "sw")
    assert [(q.language, q.id) for q in read_questions(artifact)] == [
        (code, id_) for code in ("en", "bn", "sw") for id_ in ("0", "2", "3")
    ]
    assert artifact.result.left_out == 2


def test_limit_takes_the_first_of_each_language(tmp_path: Path) -> None:
    wanted = config(tmp_path, limit=2)
    questions = made(questions_step(wanted), tmp_path)
    pairs = read_pairs(made(pairs_step(wanted, questions), tmp_path))
    problems = read_problems(made(problems_step(wanted, "own"), tmp_path))
    assert [q.id for q in read_questions(questions)] == ["0", "1"] * 3
    assert [(p.language, p.id, p.kind) for p in pairs] == [
        (code, "0", kind) for code in ("bn", "sw") for kind in ("question", "answer")
    ]
    assert [(p.language, p.answer) for p in problems] == [(code, n) for code in ("en", "bn", "sw") for n in (0.0, 1.0)]


def test_identity_follows_content_not_place(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    here = config(tmp_path)
    changed = config(tmp_path / "other", questions=[*QUESTIONS, {**QUESTIONS[0], "id": "new"}])
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert questions_step(config(fresh)).fingerprint == questions_step(here).fingerprint
    assert questions_step(changed).fingerprint != questions_step(here).fingerprint


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"languages": ("en", "th")}, "nothing in language 'th'; it holds bn en sw"),
        ({"languages": ("sw", "bn")}, "'en'"),
        ({"questions": []}, "is empty"),
        ({"questions": [{**QUESTIONS[0], "language": "xx"}]}, "'xx' is not known"),
        (
            {"questions": [{**q, "id": q["language"] + q["id"]} for q in QUESTIONS]},
            "no id is there in every language",
        ),
    ],
)
def test_questions_that_cannot_be_counted_on(tmp_path: Path, change: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as caught:
        made(questions_step(config(tmp_path, **change)), tmp_path)
    assert part in str(caught.value)
    assert "q.jsonl" in str(caught.value) or "xx" in part


def test_a_language_without_pairs_is_named(tmp_path: Path) -> None:
    wanted = config(tmp_path, pairs=[pair for pair in PAIRS if pair["language"] != "sw"])
    questions = made(questions_step(wanted), tmp_path)
    with pytest.raises(InputError, match=r"corpora\.pairs .*p\.jsonl\) holds nothing in language 'sw'"):
        made(pairs_step(wanted, questions), tmp_path)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b"{", "2: not JSON"),
        (b"\xff", "2: not JSON"),
        (b"[1]", "2: list instead of a JSON object"),
        (b'{"id": "9", "language": "sw"}', "2: no key 'question'"),
        (b'{"id": 9, "language": "sw", "question": "q"}', "2: id must be a text"),
        (
            b'{"id": "9", "language": "sw", "question": " "}',
            "2: question must be a text that is not empty",
        ),
        (
            b'{"id": "9", "language": "sw", "question": "\\ud800"}',
            "2: question holds half of a surrogate pair",
        ),
        (
            b'{"id": "0", "language": "sw", "question": "q"}',
            "2: repeats 0 sw of line 1",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, part: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes(b'{"id": "0", "language": "sw", "question": "q"}\n' + line + b"\n")
    with pytest.raises(InputError) as caught:
        read_jsonl(file, Question)
    assert f"q.jsonl:{part}" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [(Problem, "answer", "12"), (Problem, "answer", True), (Pair, "kind", "x")],
)
def test_a_value_of_the_wrong_type_is_named(tmp_path: Path, kind: Any, key: str, value: Any) -> None:
    record = {**PROBLEMS[0], **PAIRS[0], key: value}
    with pytest.raises(InputError, match=f":1: {key} must be"):
        read_jsonl(Path(lines(tmp_path / "x.jsonl", [record])), kind)


def test_prompts_are_the_papers_with_the_question_where_the_span_says() -> None:
    prompts = PromptsConfig()
    question = "Juma ana {query} 3?"
    start, end = question_span(prompts, question)
    assert reasoning_prompt(prompts, question)[start:end] == question
    assert translation_prompt(prompts, "sw", "Habari {language}") == (
        "Translate this from [Swahili] to [English]:\n[Swahili]: Habari {language}\n[English]:"
    )

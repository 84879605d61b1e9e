"""Corpora: what is read, and what is said about a line that cannot be."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import InputError, RunConfig, SourceConfig
from slam_ray.corpora import (
    Pair,
    Problem,
    leakage_step,
    pairs_step,
    problems_step,
    questions_step,
    read_dropped,
    read_held_out,
    read_pairs,
    read_problems,
    read_questions,
)
from slam_ray.corpora.formats.layout import normalised
from slam_ray.corpora.leakage import LeakageResult, check_leakage
from slam_ray.store.artifact import Artifact
from tests.configs import run_config
from tests.corpora import fingerprint, made, records
from tests.published import FIXTURES

QUESTIONS = [
    {"id": str(i), "language": code, "question": f"{code} {i}?"} for code in ("sw", "en", "bn") for i in range(4)
]
PAIRS = [
    {
        "id": str(i),
        "language": code,
        "kind": kind,
        "source": f"{'প্রশ্ন' if code == 'bn' else code} {i} {kind}",
        "english": f"en {i} {kind}",
    }
    for code in ("sw", "bn", "de")
    for i in range(3)
    for kind in ("question", "answer")
]
PROBLEMS = [
    {"id": str(i), "language": code, "question": f"{code} test {i}?", "answer": i}
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
        **changes.pop("corpora", {}),
    }
    return run_config(corpora=corpora, **changes)


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
    one, same, other = (fingerprint(questions_step(each), tmp_path) for each in (here, config(fresh), changed))
    assert one == same != other


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
    ("kind", "key", "value"),
    [(Problem, "answer", "twelve"), (Pair, "kind", "x"), (Pair, "kind", ["answer"])],
)
def test_a_value_of_the_wrong_type_is_named(tmp_path: Path, kind: Any, key: str, value: Any) -> None:
    record = {**PROBLEMS[0], **PAIRS[0], key: value}
    with pytest.raises(InputError, match=f":1: {key} must be"):
        records(lines(tmp_path / "x.jsonl", [record]), kind)


def test_pairs_come_from_several_sources_and_layouts(tmp_path: Path) -> None:
    published = {"path": str(FIXTURES / "mgsm8kinstruct"), "format": "mgsm8kinstruct"}
    sentences = {"path": str(FIXTURES / "flores"), "format": "parallel"}
    own = lines(tmp_path / "more.jsonl", [pair for pair in PAIRS if pair["language"] == "sw"])
    wanted = config(tmp_path, languages=("en", "sw"), corpora={"pairs": [own, published, sentences]})
    artifact = made(pairs_step(wanted, questions_step(wanted)), tmp_path)
    assert artifact.result.records == {"sw": 6 + 6 + 3}
    assert {pair.language for pair in read_pairs(artifact)} == {"sw"}


def test_questions_of_a_benchmark_are_refused_unless_asked_for(tmp_path: Path) -> None:
    tests = [{**problem, "question": str(problem["question"]).replace(" test", "")} for problem in PROBLEMS]
    shouted = [{**problem, "question": str(problem["question"]).upper() + " "} for problem in tests]
    with pytest.raises(InputError) as caught:
        leakage(config(tmp_path, problems=shouted), tmp_path)
    for part in ("corpora.questions", "3 of its 4 English questions", "corpora.benchmarks.own", "'en 0?'"):
        assert part in str(caught.value)
    trained = [{**pair, "english": "en 2?"} if pair["kind"] == "question" else pair for pair in PAIRS]
    asked = [{**question, "question": f"more {question['question']}"} for question in QUESTIONS]
    with pytest.raises(InputError, match=r"corpora\.pairs: 1 of its 1 English questions .*'en 2\?'"):
        leakage(config(tmp_path, problems=tests, questions=asked, pairs=trained), tmp_path)
    found = leakage(config(tmp_path), tmp_path)
    assert (found.result.questions, found.result.problems) == (4 + 3, 3)


@pytest.mark.parametrize(
    "character", ["\ufeff", "\u200b", "\u00ad", "\u200e", "\u202e", "\u2060", "\ufe0f", "\x08"], ids=ascii
)
def test_no_invisible_character_hides_a_test_problem(character: str) -> None:
    problem = "Mara has 3 baskets with 7 figs each."
    with pytest.raises(InputError, match=r"1 of its 2 English questions are problems of mgsm"):
        check_leakage(
            "corpora.questions",
            ["Another one?", f"{character}Mara has 3{character} baskets with 7 figs each."],
            "mgsm",
            [problem],
        )
    assert normalised(f"a{character}b") == "ab" != normalised("a b")


def test_a_benchmark_without_english_is_looked_for_in_its_own_languages(tmp_path: Path) -> None:
    tests = [{**problem, "question": "sw 1?"} for problem in PROBLEMS if problem["language"] == "sw"]
    with pytest.raises(InputError, match=r"corpora\.questions: 1 of its 4 'sw' questions are problems of corpora\.b"):
        leakage(config(tmp_path, problems=tests), tmp_path)
    trained = [{**tests[0], "question": "SW 0 question"}]
    with pytest.raises(InputError, match=r"corpora\.pairs: 1 of its 3 'sw' questions are problems of corpora\.b"):
        leakage(config(tmp_path, problems=trained), tmp_path)


def leakage(wanted: RunConfig, tmp_path: Path) -> Artifact[LeakageResult]:
    questions = questions_step(wanted)
    problems = {"own": problems_step(wanted, "own")}
    return made(leakage_step(questions, pairs_step(wanted, questions), problems), tmp_path)


def test_held_out_problems_leave_questions_and_pairs_in_every_language(tmp_path: Path) -> None:
    many = [{**QUESTIONS[0], "language": code, "id": str(i)} for code in ("en", "sw", "bn") for i in range(200)]
    pairs = [{**pair, "id": str(i)} for pair in PAIRS if pair["id"] == "0" for i in range(200)]
    wanted = config(tmp_path, questions=many, pairs=pairs, corpora={"held_out": 0.25})
    questions = made(questions_step(wanted), tmp_path)
    artifact = made(pairs_step(wanted, questions), tmp_path)
    counted, trained, away = (
        {record.id for record in records}
        for records in (read_questions(questions), read_pairs(artifact), read_held_out(artifact))
    )
    assert counted == trained
    assert trained | away == {str(i) for i in range(200)}
    assert not trained & away
    assert 35 <= len(away) <= 65
    assert len(read_held_out(artifact)) == len(away) * 2 * 2
    other = config(tmp_path, questions=many, pairs=pairs, corpora={"held_out": 0.25, "seed": 1})
    assert {question.id for question in read_questions(made(questions_step(other), tmp_path))} != counted


def test_a_benchmark_has_a_part_to_choose_on_and_a_part_to_report(tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    lines(
        file,
        [
            {"id": f"p{n}", "language": code, "question": f"{code} {n}", "answer": n}
            for n in range(230)
            for code in ("sw", "en")
        ],
    )
    ids = {}
    for part in ("choose", "report"):
        wanted = config(tmp_path, corpora={"benchmarks": {"own": {"path": str(file), "part": part}}})
        problems = read_problems(made(problems_step(wanted, "own"), tmp_path))
        ids[part] = {code: {problem.id for problem in problems if problem.language == code} for code in ("sw", "en")}
        assert ids[part]["sw"] == ids[part]["en"], "a problem is on one side in every language"
    assert (len(ids["choose"]["sw"]), len(ids["report"]["sw"])) == (200, 30)
    assert not ids["choose"]["sw"] & ids["report"]["sw"]
    assert ids["report"]["sw"] != {f"p{n}" for n in range(200, 230)}, "not the last ones"
    with pytest.raises(InputError, match=r"corpora\.pairs .*: part belongs to benchmarks, not to pairs"):
        records(SourceConfig(path=str(file), part="choose"), Pair, "corpora.pairs")


def test_balancing_cuts_every_language_to_the_smallest_and_keeps_the_same_problems(tmp_path: Path) -> None:
    pairs = [{**pair, "id": str(i)} for pair in PAIRS if pair["id"] == "0" for i in range(30)]
    few = [pair for pair in pairs if pair["language"] != "bn" or int(pair["id"]) % 3 == 0]
    wanted = config(tmp_path, pairs=few, corpora={"balance": True})
    artifact = made(pairs_step(wanted, questions_step(wanted)), tmp_path)
    assert artifact.result.records == {"bn": 20, "sw": 20}
    kept = {(pair.id, pair.kind) for pair in read_pairs(artifact) if pair.language == "sw"}
    assert {id_ for id_, kind in kept if kind == "question"} == {id_ for id_, kind in kept if kind == "answer"}
    alike = config(tmp_path, pairs=pairs, corpora={"balance": True})
    assert made(pairs_step(alike, questions_step(alike)), tmp_path).result.records == {
        "bn": 60,
        "sw": 60,
    }


def test_what_cleaning_leaves_out_is_kept_beside_the_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = [
        {**pair, "source": pair["english"]} if (pair["language"], pair["id"]) == ("sw", "1") else pair for pair in PAIRS
    ]
    wanted = config(tmp_path, pairs=same)
    questions = made(questions_step(wanted), tmp_path)
    artifact = made(pairs_step(wanted, questions), tmp_path)
    assert artifact.result.records == {"bn": 6, "sw": 4}
    assert [(loss.rule, loss.language, loss.pairs) for loss in artifact.result.losses] == [("untranslated", "sw", 2)]
    assert [(drop.rule, drop.pair.kind) for drop in read_dropped(artifact)] == [
        ("untranslated", "question"),
        ("untranslated", "answer"),
    ]
    assert ["untranslated", "0", "2", "2"] in [line.split() for line in capsys.readouterr().out.splitlines()]
    switched_off = config(tmp_path, pairs=same, corpora={"cleaning": {"untranslated": False}})
    assert made(pairs_step(switched_off, questions), tmp_path).result.records == {"bn": 6, "sw": 6}


def test_a_language_that_cleaning_or_holding_out_empties_is_named(tmp_path: Path) -> None:
    latin = [{**pair, "source": "Latin 0"} if pair["language"] == "bn" else pair for pair in PAIRS]
    wanted = config(tmp_path, pairs=latin)
    questions = made(questions_step(wanted), tmp_path)
    with pytest.raises(InputError, match=r"corpora\.pairs .*cleaning leaves no pair in language 'bn'"):
        made(pairs_step(wanted, questions), tmp_path)
    away = config(tmp_path, corpora={"held_out": 0.999})
    with pytest.raises(InputError, match=r"all problems in language 'bn' are held out; lower --corpora\.held_out"):
        made(pairs_step(away, questions), tmp_path)


def digest(records: list[Any]) -> str:
    text = json.dumps([record.__dict__ for record in records], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def test_prepared_corpora_are_what_they_were(tmp_path: Path) -> None:
    corpora = {
        "questions": {"path": str(FIXTURES / "qalign"), "format": "qalign"},
        "pairs": {"path": str(FIXTURES / "mgsm8kinstruct"), "format": "mgsm8kinstruct"},
        "benchmarks": {"mgsm": {"path": str(FIXTURES / "mgsm"), "format": "mgsm"}},
        "held_out": 0.3,
        "seed": 3,
    }
    wanted = run_config(corpora=corpora)
    questions = made(questions_step(wanted), tmp_path)
    pairs = made(pairs_step(wanted, questions), tmp_path)
    found = {
        "questions": digest(read_questions(questions)),
        "pairs": digest(read_pairs(pairs)),
        "held out": digest(read_held_out(pairs)),
        "problems": digest(read_problems(made(problems_step(wanted, "mgsm"), tmp_path))),
    }
    assert found == {
        "questions": "f41f040e3b90",
        "pairs": "edfe833a2823",
        "held out": "6e291789cca7",
        "problems": "192bcbb5eac3",
    }, "the output changed: raise the step's version in slam_ray/corpora/prepare.py, then these digests"

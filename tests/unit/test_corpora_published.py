"""The readers on the published corpora as they are, where a machine has them."""

from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import InputError, SourceConfig
from slam_ray.corpora import Pair, Problem, Question
from slam_ray.corpora.leakage import check_leakage
from tests.corpora import corpus
from tests.published import PUBLISHED, needs_published

pytestmark = needs_published


def source(folder: str, format_: str = "", **more: Any) -> SourceConfig:
    return SourceConfig(path=str(PUBLISHED / folder), format=format_ or folder, **more)


@pytest.mark.parametrize(("folder", "languages", "lines"), [("mgsm", 11, 250), ("msvamp", 10, 1000)])
def test_benchmarks(folder: str, languages: int, lines: int) -> None:
    problems = corpus(source(folder), Problem).records
    golds: dict[str, set[float]] = {}
    for problem in problems:
        golds.setdefault(problem.id, set()).add(problem.answer)
    assert len(problems) == languages * lines
    assert len(golds) == lines
    assert all(len(answers) == 1 for answers in golds.values())
    assert len(corpus(source(folder), Question).records) == len(problems)


def test_a_part_of_msvamp_to_choose_on() -> None:
    choose, report = (corpus(source("msvamp", part=part), Problem).records for part in ("choose", "report"))
    assert (len(choose), len(report)) == (200 * 10, 800 * 10)
    assert {problem.id for problem in choose}.isdisjoint({problem.id for problem in report})


def test_gsm8k_and_the_benchmark_translated_from_it() -> None:
    train, test = (corpus(source("gsm8k", split=split), Problem) for split in ("train", "test"))
    assert len(train.records) + train.repeated == 7473
    assert len(test.records) + test.repeated == 1319
    assert {problem.id for problem in train.records}.isdisjoint({problem.id for problem in test.records})
    english = [problem for problem in corpus(source("mgsm"), Problem).records if problem.language == "en"]
    assert [problem.answer for problem in english] == [problem.answer for problem in test.records[:250]]


def test_qalign() -> None:
    pairs = corpus(source("gsm8kinstruct_qalign", "qalign"), Pair)
    counts: dict[str, int] = {}
    for pair in pairs.records:
        counts[pair.language] = counts.get(pair.language, 0) + 1
    assert counts == {"de": 7464, "es": 7468, "fr": 7464, "ja": 7466, "ru": 7360, "sw": 7469, "zh": 7363}
    assert pairs.repeated == 0
    questions = corpus(source("gsm8kinstruct_qalign", "qalign"), Question).records
    in_all = set.intersection(*({q.id for q in questions if q.language == code} for code in (*counts, "en")))
    assert len(in_all) == 7342
    train = {problem.id for problem in corpus(source("gsm8k"), Problem).records}
    assert len({question.id for question in questions} - train) <= 1


def test_ntrex() -> None:
    pairs = corpus(source("ntrex", "parallel"), Pair)
    assert " ".join(sorted({pair.language for pair in pairs.records})) == (
        "ar bn de es fr hi it ja nl pl pt ru sw te th ur vi zh"
    )
    assert len(pairs.records) + pairs.repeated == 18 * 1997


def test_training_questions_are_apart_from_the_benchmarks_and_test_questions_are_not() -> None:
    mgsm = [problem.question for problem in corpus(source("mgsm"), Problem).records if problem.language == "en"]
    trained = {pair.english for pair in corpus(source("gsm8kinstruct_qalign", "qalign"), Pair).records}
    check_leakage("corpora.pairs", sorted(trained), "mgsm", mgsm)
    tests = [question.question for question in corpus(source("gsm8k", split="test"), Question).records]
    with pytest.raises(InputError, match=r"250 of its 1319 English questions are problems of mgsm"):
        check_leakage("corpora.questions", tests, "mgsm", mgsm)


def test_own_records_of_another_corpus_with_its_columns_mapped(tmp_path: Path) -> None:
    xcopa = sorted((PUBLISHED / "xcopa").glob("**/test*sw*.jsonl"))
    assert xcopa
    config = SourceConfig(path=str(xcopa[0]), columns={"id": "#", "question": "premise"}, values={"language": "sw"})
    assert len(corpus(config, Question).records) == 500

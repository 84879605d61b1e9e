"""The problems that trials are chosen on: apart from what is counted and trained on and from every reported test."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from slam_ray.config import ENGLISH, InputError, RunConfig, Section
from slam_ray.corpora import Prepared, read_pairs, read_problems, read_questions
from slam_ray.corpora.formats.layout import normalised
from slam_ray.pipeline.step import Artifact, Attempt, Step


class ApartConfig(Section):
    """Nothing but the texts decides.

    Attributes:
        allow_test_questions: what is counted and trained on may be among the problems.
    """

    allow_test_questions: bool


class Apart(BaseModel):
    """How many English problems to choose on were found nowhere else."""

    problems: int


def apart_step(
    config: RunConfig,
    choosing: Artifact[Prepared],
    questions: Artifact[Prepared],
    pairs: Artifact[Prepared],
    benchmarks: Mapping[str, Artifact[Prepared]],
) -> Step[Apart]:
    """Check that a choice on these problems says something about others, and nothing about the reported test.

    Raises:
        InputError: (in its run) English or any other language is missing; a problem is counted or trained on, or is in
            a benchmark.
    """

    def run(attempt: Attempt) -> Apart:
        records = choosing.result.records
        if ENGLISH not in records or len(records) < 2 or not all(records.values()):
            found = ", ".join(f"{count} in {code}" for code, count in records.items())
            raise InputError(f"search.problems: needs problems in {ENGLISH!r} and in every other language; got {found}")
        asked = [problem.question for problem in read_problems(choosing) if problem.language == ENGLISH]
        for name, benchmark in benchmarks.items():
            tested = (problem.question for problem in read_problems(benchmark) if problem.language == ENGLISH)
            _check(asked, set(map(normalised, tested)), f"in corpora.benchmarks.{name}, which a choice must not see")
        if not config.corpora.allow_test_questions:
            counted = {normalised(item.question) for item in read_questions(questions) if item.language == ENGLISH}
            trained = {normalised(pair.english) for pair in read_pairs(pairs)}
            _check(asked, counted, "in corpora.questions, which are counted")
            _check(asked, trained, "in corpora.pairs, which are trained on")
        return Apart(problems=len(asked))

    inputs: dict[str, Any] = {"choosing": choosing, "questions": questions, "pairs": pairs, **benchmarks}
    made_of = ApartConfig(allow_test_questions=config.corpora.allow_test_questions)
    return Step("apart", 2, made_of, inputs, Apart, run)


def _check(asked: list[str], elsewhere: set[str], where: str) -> None:
    both = [question for question in asked if normalised(question) in elsewhere]
    if both:
        raise InputError(
            f"search.problems: {len(both)} of its {len(asked)} English problems are also {where}, e.g. {both[0]!r}"
        )

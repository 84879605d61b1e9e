"""Counting and training use no problem of a benchmark: that is looked for by the English questions.

MGSM's problems are GSM8K's, so what a user trains on may well hold them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import BaseModel

from slam_ray.config import ENGLISH, InputError, Section
from slam_ray.corpora.artifacts import Prepared, read_pairs, read_problems, read_questions
from slam_ray.corpora.formats.layout import normalised
from slam_ray.pipeline.step import Artifact, Attempt, Step


class UnseenConfig(Section):
    """Nothing but the texts decides."""


class Unseen(BaseModel):
    """How many English questions, and English problems, were found to have none in common."""

    questions: int
    problems: int


def unseen_step(
    questions: Artifact[Prepared], pairs: Artifact[Prepared], benchmarks: Mapping[str, Artifact[Prepared]]
) -> Step[Unseen]:
    """Check that what is counted and trained on is in no benchmark.

    Raises:
        InputError: (in its run) it is.
    """

    def run(attempt: Attempt) -> Unseen:
        used = {"corpora.questions": list(_counted(questions)), "corpora.pairs": list(_trained(pairs))}
        total = 0
        for name, benchmark in benchmarks.items():
            problems = [item.question for item in read_problems(benchmark) if item.language == ENGLISH]
            total += len(problems)
            for key, texts in used.items():
                check_unseen(key, texts, f"corpora.benchmarks.{name}", problems)
        return Unseen(questions=sum(map(len, used.values())), problems=total)

    inputs = {"questions": questions, "pairs": pairs, **{f"problems {name}": each for name, each in benchmarks.items()}}
    return Step("unseen", 1, UnseenConfig(), inputs, Unseen, run)


def check_unseen(key: str, texts: Sequence[str], benchmark: str, problems: Iterable[str]) -> None:
    """Raise InputError if English questions of the corpus `key` are problems of `benchmark`, but for case and space."""
    tested = {normalised(problem) for problem in problems}
    both = [text for text in texts if normalised(text) in tested]
    if both:
        raise InputError(
            f"{key}: {len(both)} of its {len(texts)} English questions are problems of {benchmark}, e.g. {both[0]!r};"
            " take them out, or set --corpora.allow_test_questions true if the scores need not hold for unseen problems"
        )


def _counted(questions: Artifact[Prepared]) -> Iterator[str]:
    return (item.question for item in read_questions(questions) if item.language == ENGLISH)


def _trained(pairs: Artifact[Prepared]) -> Iterator[str]:
    return iter(dict.fromkeys(pair.english for pair in read_pairs(pairs) if pair.kind == "question"))

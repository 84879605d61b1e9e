"""Counting and training use no problem of a benchmark: that is looked for by the English questions.

MGSM's problems are GSM8K's, so what a user trains on may well hold them. A benchmark without English is looked for in
its own languages.
"""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel

from slam_ray.config import ENGLISH, InputError, Section
from slam_ray.corpora.artifacts import Prepared, read_pairs, read_problems, read_questions
from slam_ray.corpora.formats.layout import normalised
from slam_ray.pipeline.step import Artifact, Attempt, Step

# Whoever changes what is found in the same texts raises this.
UNSEEN_VERSION = 2


class UnseenConfig(Section):
    """Nothing but the texts decides."""


class Unseen(BaseModel):
    """How many questions, and problems of benchmarks, were found to have none in common; in English where there is."""

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
        used = {"corpora.questions": _counted(questions), "corpora.pairs": _trained(pairs)}
        total, compared = 0, {ENGLISH}
        for name, benchmark in benchmarks.items():
            asked = _by_language((problem.language, problem.question) for problem in read_problems(benchmark))
            for language in {ENGLISH} & asked.keys() or asked:
                total += len(asked[language])
                compared.add(language)
                for key, texts in used.items():
                    found = texts.get(language, [])
                    check_unseen(key, found, f"corpora.benchmarks.{name}", asked[language], language)
        number = sum(len(texts.get(language, [])) for texts in used.values() for language in compared)
        return Unseen(questions=number, problems=total)

    inputs = {"questions": questions, "pairs": pairs, **{f"problems {name}": each for name, each in benchmarks.items()}}
    return Step("unseen", UNSEEN_VERSION, UnseenConfig(), inputs, Unseen, run)


def check_unseen(
    key: str, texts: Sequence[str], benchmark: str, problems: Iterable[str], language: str = ENGLISH
) -> None:
    """Raise InputError if questions of the corpus `key`, in a language, are problems of `benchmark`.

    They are compared as they are asked, but for case, spaces, widths of characters and characters that nobody sees.
    """
    tested = {normalised(problem) for problem in problems}
    both = [text for text in texts if normalised(text) in tested]
    if both:
        name = "English" if language == ENGLISH else repr(language)
        raise InputError(
            f"{key}: {len(both)} of its {len(texts)} {name} questions are problems of {benchmark}, e.g. {both[0]!r};"
            " take them out, or set --corpora.allow_test_questions true if the scores need not hold for unseen problems"
        )


def _counted(questions: Artifact[Prepared]) -> dict[str, list[str]]:
    return _by_language((item.language, item.question) for item in read_questions(questions))


def _trained(pairs: Artifact[Prepared]) -> dict[str, list[str]]:
    asked = [pair for pair in read_pairs(pairs) if pair.kind == "question"]
    english = dict.fromkeys(pair.english for pair in asked)
    return {ENGLISH: list(english), **_by_language((pair.language, pair.source) for pair in asked)}


def _by_language(texts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for language, text in texts:
        found.setdefault(language, []).append(text)
    return found

"""Checks that test problems were not used: none is counted or trained on, and no setting is chosen on one.

MGSM's problems are GSM8K's, so what a user trains on may well hold them. Questions are compared as they are asked, but
for case, spaces, widths of characters and invisible characters.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel

from slam_ray.config import ENGLISH, InputError, RunConfig, Section
from slam_ray.corpora.formats.layout import normalised
from slam_ray.corpora.prepared_files import Prepared, read_pairs, read_problems, read_questions
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Attempt, Input, Step

ByLanguage: TypeAlias = dict[str, list[str]]


class LeakageConfig(Section):
    """Nothing but the texts decides."""


class LeakageResult(BaseModel):
    """How many questions, and problems of benchmarks, were compared and differ; in English where there is."""

    questions: int
    problems: int


class ValidationLeakageConfig(Section):
    """Nothing but the texts decides.

    Attributes:
        allow_test_questions: what is counted and trained on may be among the problems.
    """

    allow_test_questions: bool


class ValidationLeakageResult(BaseModel):
    """How many English problems to choose on were found nowhere else."""

    problems: int


def leakage_step(
    questions: Input[Prepared], pairs: Input[Prepared], problems: Mapping[str, Input[Prepared]]
) -> Step[LeakageResult]:
    """Check that what is counted and trained on is in no benchmark.

    A benchmark is looked for by its English questions; one without English in its own languages.

    Raises:
        InputError: (in a run) it is.
    """

    def run(attempt: Attempt) -> LeakageResult:
        used = {"corpora.questions": _counted(attempt[questions]), "corpora.pairs": _trained(attempt[pairs])}
        total, compared = 0, {ENGLISH}
        for name, benchmark in problems.items():
            tested = _tested(attempt[benchmark])
            for language in {ENGLISH} & tested.keys() or tested:
                total += len(tested[language])
                compared.add(language)
                for key, texts in used.items():
                    check_leakage(
                        key, texts.get(language, []), f"corpora.benchmarks.{name}", tested[language], language
                    )
        number = sum(len(texts.get(language, [])) for texts in used.values() for language in compared)
        return LeakageResult(questions=number, problems=total)

    inputs = {"questions": questions, "pairs": pairs, **{f"problems {name}": each for name, each in problems.items()}}
    return Step("unseen", 2, LeakageConfig(), inputs, LeakageResult, run)


def check_leakage(
    key: str, texts: Sequence[str], benchmark: str, problems: Iterable[str], language: str = ENGLISH
) -> None:
    """Raise InputError if questions of the corpus `key`, in a language, are problems of `benchmark`."""
    if both := _in_both(texts, problems):
        name = "English" if language == ENGLISH else repr(language)
        raise InputError(
            f"{key}: {len(both)} of its {len(texts)} {name} questions are problems of {benchmark}, e.g. {both[0]!r};"
            " take them out, or set --corpora.allow_test_questions true if the scores need not hold for unseen problems"
        )


def validation_leakage_step(
    config: RunConfig,
    validation: Input[Prepared],
    questions: Input[Prepared],
    pairs: Input[Prepared],
    problems: Mapping[str, Input[Prepared]],
) -> Step[ValidationLeakageResult]:
    """Check that a choice on the validation problems says something about others, and nothing about the reported test.

    Raises:
        InputError: (in a run) English or any other language is missing; a problem is counted or trained on, or is in
            a benchmark.
    """
    taken = ValidationLeakageConfig(allow_test_questions=config.corpora.allow_test_questions)

    def run(attempt: Attempt) -> ValidationLeakageResult:
        records = attempt[validation].result.records
        if ENGLISH not in records or len(records) < 2 or not all(records.values()):
            counts = ", ".join(f"{count} in {code}" for code, count in records.items())
            raise InputError(
                f"search.problems: needs problems in {ENGLISH!r} and in every other language; got {counts}"
            )
        forbidden = {
            f"in corpora.benchmarks.{name}, which a choice must not see": _tested(attempt[benchmark])
            for name, benchmark in problems.items()
        }
        if not taken.allow_test_questions:
            forbidden["in corpora.questions, which are counted"] = _counted(attempt[questions])
            trained = [pair.english for pair in read_pairs(attempt[pairs])]
            forbidden["in corpora.pairs, which are trained on"] = {ENGLISH: trained}
        chosen_on = _tested(attempt[validation])[ENGLISH]
        for where, texts in forbidden.items():
            if both := _in_both(chosen_on, texts.get(ENGLISH, [])):
                raise InputError(
                    f"search.problems: {len(both)} of its {len(chosen_on)} English problems are also {where},"
                    f" e.g. {both[0]!r}"
                )
        return ValidationLeakageResult(problems=len(chosen_on))

    inputs: dict[str, Any] = {"choosing": validation, "questions": questions, "pairs": pairs, **problems}
    return Step("apart", 2, taken, inputs, ValidationLeakageResult, run)


def _in_both(texts: Iterable[str], others: Iterable[str]) -> list[str]:
    """Those texts that are among the others."""
    known = set(map(normalised, others))
    return [text for text in texts if normalised(text) in known]


def _tested(problems: Artifact[Prepared]) -> ByLanguage:
    return _by_language((problem.language, problem.question) for problem in read_problems(problems))


def _counted(questions: Artifact[Prepared]) -> ByLanguage:
    return _by_language((question.language, question.question) for question in read_questions(questions))


def _trained(pairs: Artifact[Prepared]) -> ByLanguage:
    translated = [pair for pair in read_pairs(pairs) if pair.kind == "question"]
    english = dict.fromkeys(pair.english for pair in translated)
    return {ENGLISH: list(english), **_by_language((pair.language, pair.source) for pair in translated)}


def _by_language(texts: Iterable[tuple[str, str]]) -> ByLanguage:
    found: ByLanguage = {}
    for language, text in texts:
        found.setdefault(language, []).append(text)
    return found

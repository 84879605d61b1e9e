"""Counting and training use no problem of a benchmark: that is looked for by the English questions.

MGSM's problems are GSM8K's, so what a user trains on may well hold them.
"""

from collections.abc import Iterable

from slam_ray.config import ENGLISH, CorporaConfig, InputError
from slam_ray.corpora.formats.layout import normalised
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.sources import Source, opened, read

_apart: set[tuple[str, str]] = set()  # by content: a command builds its steps, and so comes here, more than once


def check_unseen(corpora: CorporaConfig, used: Iterable[Source], kind: type[Question] | type[Pair]) -> None:
    """Raise InputError if English questions among the records of `used` are problems of a benchmark."""
    if corpora.allow_test_questions:
        return
    used = tuple(used)
    for name, sources in corpora.benchmarks.items():
        benchmark = opened(sources, f"corpora.benchmarks.{name}")
        contents = ("".join(source.fingerprint for source in used), "".join(part.fingerprint for part in benchmark))
        if contents not in _apart:
            _check(used, kind, benchmark)
            _apart.add(contents)


def _check(used: tuple[Source, ...], kind: type[Question] | type[Pair], benchmark: tuple[Source, ...]) -> None:
    problems = {normalised(item.question) for item in read(benchmark, Problem).records if item.language == ENGLISH}
    questions = dict.fromkeys(_english(used, kind))
    both = [question for question in questions if normalised(question) in problems]
    if both:
        raise InputError(
            f"{used[0].label}: {len(both)} of its {len(questions)} English questions are problems of"
            f" {benchmark[0].label}, e.g. {both[0]!r}; take them out, or set --corpora.allow_test_questions true if the"
            " scores need not hold for unseen problems"
        )


def _english(used: tuple[Source, ...], kind: type[Question] | type[Pair]) -> Iterable[str]:
    for record in read(used, kind).records:
        if isinstance(record, Pair):
            yield record.english
        elif record.language == ENGLISH:
            yield record.question

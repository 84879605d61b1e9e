"""Counting and training use no problem of a benchmark: that is looked for by the English questions.

MGSM's problems are GSM8K's, so what a user trains on may well hold them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from slam_ray.config import ENGLISH, CorporaConfig, InputError
from slam_ray.corpora.formats.layout import normalised
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.sources import Corpus, Source, opened, read

_apart: set[tuple[str, str]] = set()  # by content: a command builds its steps, and so comes here, more than once


def check_unseen(
    corpora: CorporaConfig, used: Sequence[Source], load: Callable[[], Corpus[Question]] | Callable[[], Corpus[Pair]]
) -> None:
    """Raise InputError if English questions among the records of `used` are problems of a benchmark.

    Args:
        corpora: names the benchmarks.
        used: sources of what is counted or trained on.
        load: reads them.
    """
    if corpora.allow_test_questions:
        return
    for name, sources in corpora.benchmarks.items():
        benchmark = opened(sources, f"corpora.benchmarks.{name}")
        contents = ("".join(source.fingerprint for source in used), "".join(part.fingerprint for part in benchmark))
        if contents not in _apart:
            _check(used[0].label, dict.fromkeys(_english(load().records)), benchmark)
            _apart.add(contents)


def _check(label: str, questions: Collection[str], benchmark: Sequence[Source]) -> None:
    problems = {normalised(item.question) for item in read(benchmark, Problem).records if item.language == ENGLISH}
    both = [question for question in questions if normalised(question) in problems]
    if both:
        raise InputError(
            f"{label}: {len(both)} of its {len(questions)} English questions are problems of {benchmark[0].label},"
            f" e.g. {both[0]!r}; take them out, or set --corpora.allow_test_questions true if the scores need not hold"
            " for unseen problems"
        )


def _english(records: Iterable[Question] | Iterable[Pair]) -> Iterator[str]:
    for record in records:
        if isinstance(record, Pair):
            if record.kind == "question":
                yield record.english
        elif record.language == ENGLISH:
            yield record.question

"""The texts of a run: what is read from the user's files or the Hub, in the driver, before Ray is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slam_ray.config import RunConfig, Sources
from slam_ray.corpora import (
    Prepared,
    english_step,
    leakage_step,
    pairs_step,
    questions_step,
)
from slam_ray.corpora.hub import FetchedCorpus, HubCorpus, fetch_corpora_steps
from slam_ray.corpora.leakage import LeakageResult
from slam_ray.recipes.benchmarks import Benchmark, benchmarks_of
from slam_ray.store.step import Step


@dataclass(frozen=True)
class Texts:
    """What a run reads.

    Attributes:
        fetched: what is on the Hub.
        questions: to count on.
        pairs: to train on.
        benchmarks: by name.
        english: whose loss is measured, if it is.
        checks: that no problem is counted or trained on, unless that is allowed.
    """

    fetched: Mapping[HubCorpus, Step[FetchedCorpus]]
    questions: Step[Prepared]
    pairs: Step[Prepared]
    benchmarks: dict[str, Benchmark]
    english: Step[Prepared] | None
    checks: Sequence[Step[LeakageResult]]


def texts_of(config: RunConfig, problems: Sources | None = None) -> Texts:
    """The steps that prepare all texts; `problems` are further ones that are fetched (`search.problems`)."""
    corpora = config.corpora
    fetched = fetch_corpora_steps(corpora, problems)
    questions = questions_step(config, fetched)
    pairs = pairs_step(config, questions, fetched)
    benchmarks = benchmarks_of(config, fetched)
    english = None if corpora.english is None else english_step(config, fetched)
    tested = {name: benchmark.problems for name, benchmark in benchmarks.items()}
    checks = [] if corpora.allow_test_questions else [leakage_step(questions, pairs, tested)]
    return Texts(fetched, questions, pairs, benchmarks, english, checks)

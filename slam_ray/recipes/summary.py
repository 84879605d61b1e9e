"""A run's `summary.json`: what scripts read of it, in a form that stays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from slam_ray.config import RunConfig
from slam_ray.evaluation import Scores
from slam_ray.pipeline.step import Artifact
from slam_ray.pipeline.storage import Storage
from slam_ray.recipes.slam import BASE, TUNED


class BeforeAfter(BaseModel):
    """A percentage per language, before and after tuning."""

    before: dict[str, float | None]
    after: dict[str, float | None]


class Benchmark(BaseModel):
    """Accuracy and PCR on one benchmark, by the headline extractor."""

    accuracy: BeforeAfter
    pcr: BeforeAfter


class Summary(BaseModel):
    """What a run found.

    Attributes:
        model: what it started from.
        limit: a smoke run on so many records of each language.
        selected_layers: 0-based.
        trained_share: of the model's parameters.
        accuracy: on the first benchmark.
        pcr: on the first benchmark; null without English.
        benchmarks: the same for each of them.
        seconds: title of a step -> how long it took when it was made.
        report: path of the page.
    """

    model: str
    limit: int | None
    selected_layers: tuple[int, ...]
    trained_share: float
    accuracy: BeforeAfter
    pcr: BeforeAfter
    benchmarks: dict[str, Benchmark]
    seconds: dict[str, float]
    report: str


def summarize(config: RunConfig, done: Mapping[str, Artifact[Any]], storage: Storage, report: Path) -> Summary:
    """Sum up a finished run."""
    benchmarks = {name: _benchmark(name, done) for name in config.corpora.benchmarks}
    first = next(iter(benchmarks.values()))
    return Summary(
        model=config.model.hub or config.model.path or "",
        limit=config.limit,
        selected_layers=done["select"].result.layers,
        trained_share=done["train"].result.trained_share,
        accuracy=first.accuracy,
        pcr=first.pcr,
        benchmarks=benchmarks,
        seconds={title: storage.record(artifact)["seconds"] for title, artifact in done.items()},
        report=str(report),
    )


def _benchmark(name: str, done: Mapping[str, Artifact[Any]]) -> Benchmark:
    before: Scores = done[f"score {BASE} {name}"].result
    after: Scores = done[f"score {TUNED} {name}"].result
    scores = {"before": before.headline.languages, "after": after.headline.languages}
    return Benchmark(
        accuracy=BeforeAfter.model_validate(
            {when: {code: score.accuracy for code, score in languages.items()} for when, languages in scores.items()}
        ),
        pcr=BeforeAfter.model_validate(
            {when: {code: score.pcr for code, score in languages.items()} for when, languages in scores.items()}
        ),
    )

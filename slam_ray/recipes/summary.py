"""A run's `summary.json`: what scripts read of it, in a form that stays."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from slam_ray.config import RunConfig
from slam_ray.evaluation import Scores
from slam_ray.evaluation.languages import is_recognised
from slam_ray.pipeline.location import Location
from slam_ray.pipeline.step import Artifact
from slam_ray.pipeline.storage import Storage
from slam_ray.recipes.slam import BASE, SELECT_TUNED, TUNED
from slam_ray.selection.step import ChosenBy

LOSS_BEFORE, LOSS_AFTER = (f"english loss {which}" for which in (BASE, TUNED))


class BeforeAfter(BaseModel):
    """A percentage per language, before and after tuning."""

    before: dict[str, float | None]
    after: dict[str, float | None]


class Benchmark(BaseModel):
    """One benchmark; `scores.json` beside the summary has intervals and all else.

    Attributes:
        extractor: the headline extractor.
        accuracy: by it.
        pcr: by it.
        other_extractor: the other one.
        other_accuracy: by that one.
        cut: responses that ended at the token limit.
        own_language: responses written in the language of their question; null where that cannot be told.
    """

    extractor: str
    accuracy: BeforeAfter
    pcr: BeforeAfter
    other_extractor: str
    other_accuracy: BeforeAfter
    cut: BeforeAfter
    own_language: BeforeAfter


class Summary(BaseModel):
    """What a run found.

    Attributes:
        model: what it started from.
        limit: a smoke run on so many records of each language.
        selected_layers: 0-based, those that were tuned.
        chosen_by: what selected them (see `SelectResult`).
        trained_share: of the model's parameters.
        accuracy: on the first benchmark.
        pcr: on the first benchmark; null without English.
        benchmarks: the same for each of them.
        mean_overlap: with English, of each layer, before tuning and, if the tuned model was counted, after.
        english_loss: before and after, nats a token of `corpora.english`; null without it.
        seconds: title of a step -> how long it took when it was made.
        report: path of the page.
    """

    model: str
    limit: int | None
    selected_layers: tuple[int, ...]
    chosen_by: ChosenBy
    trained_share: float
    accuracy: BeforeAfter
    pcr: BeforeAfter
    benchmarks: dict[str, Benchmark]
    mean_overlap: dict[str, tuple[float, ...]]
    english_loss: tuple[float, float] | None
    seconds: dict[str, float]
    report: str


class EvaluationSummary(BaseModel):
    """What an evaluation found: by benchmark and language the accuracy by the headline extractor, and averages.

    Attributes:
        model: its folder or its name on the Hub.
        limit: a smoke run on so many problems of each language.
        accuracy: benchmark -> language -> percent.
        avg: benchmark -> mean over all languages.
        avg_non_en: the same without English; null where there is no other.
        seconds: title of a step -> how long it took when it was made.
    """

    model: str
    limit: int | None
    accuracy: dict[str, dict[str, float]]
    avg: dict[str, float]
    avg_non_en: dict[str, float | None]
    seconds: dict[str, float]


def summarize(config: RunConfig, done: Mapping[str, Artifact[Any]], storage: Storage, report: Location) -> Summary:
    """Sum up a finished run."""
    benchmarks = {name: _benchmark(name, done) for name in config.corpora.benchmarks}
    first = next(iter(benchmarks.values()))
    return Summary(
        model=config.model.hub or config.model.path or "",
        limit=config.limit,
        selected_layers=done["select"].result.layers,
        chosen_by=done["select"].result.chosen_by,
        trained_share=done["train"].result.trained_share,
        accuracy=first.accuracy,
        pcr=first.pcr,
        benchmarks=benchmarks,
        mean_overlap={
            when: done[title].result.mean_overlap
            for when, title in (("before", "select"), ("after", SELECT_TUNED))
            if title in done
        },
        english_loss=(done[LOSS_BEFORE].result.loss, done[LOSS_AFTER].result.loss) if LOSS_BEFORE in done else None,
        seconds={title: storage.record(artifact)["seconds"] for title, artifact in done.items()},
        report=str(report),
    )


def all_scores(config: RunConfig, done: Mapping[str, Artifact[Any]]) -> dict[str, Any]:
    """By benchmark all that was measured: the scores before and after tuning, and their comparison."""
    titles = {"before": f"score {BASE}", "after": f"score {TUNED}", "comparison": "compare"}
    return {
        name: {key: done[f"{title} {name}"].result.model_dump(mode="json") for key, title in titles.items()}
        for name in config.corpora.benchmarks
    }


def summarize_evaluation(config: RunConfig, done: Mapping[str, Artifact[Any]], storage: Storage) -> EvaluationSummary:
    """Sum up a finished evaluation."""
    scores: dict[str, Scores] = {name: done[f"score {BASE} {name}"].result for name in config.corpora.benchmarks}
    return EvaluationSummary(
        model=config.model.hub or config.model.path or "",
        limit=config.limit,
        accuracy={
            name: {code: score.accuracy for code, score in each.headline.languages.items()}
            for name, each in scores.items()
        },
        avg={name: each.headline.avg for name, each in scores.items()},
        avg_non_en={name: each.headline.avg_non_en for name, each in scores.items()},
        seconds={title: storage.record(artifact)["seconds"] for title, artifact in done.items()},
    )


def _benchmark(name: str, done: Mapping[str, Artifact[Any]]) -> Benchmark:
    before: Scores = done[f"score {BASE} {name}"].result
    after: Scores = done[f"score {TUNED} {name}"].result
    headline, other = before.names

    def both(value: Callable[[Scores, str], float | None]) -> BeforeAfter:
        one, two = ({code: value(scores, code) for code in scores.cut} for scores in (before, after))
        return BeforeAfter(before=one, after=two)

    return Benchmark(
        extractor=headline,
        accuracy=both(lambda scores, code: scores.extractors[headline].languages[code].accuracy),
        pcr=both(lambda scores, code: scores.extractors[headline].languages[code].pcr),
        other_extractor=other,
        other_accuracy=both(lambda scores, code: scores.extractors[other].languages[code].accuracy),
        cut=both(lambda scores, code: scores.cut[code]),
        own_language=both(lambda scores, code: scores.written[code].get(code, 0.0) if is_recognised(code) else None),
    )

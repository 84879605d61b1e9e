"""A run's `summary.json`: what scripts read of it, in a form that stays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from slam_ray.config import RunConfig
from slam_ray.evaluation import Scores
from slam_ray.evaluation.response_language import is_recognised
from slam_ray.recipes.slam import Slam
from slam_ray.selection.step import ChosenBy
from slam_ray.store.location import Location
from slam_ray.store.step import Artifacts, Step, steps_to


class BeforeAfter(BaseModel):
    """A percentage per language, before and after tuning."""

    before: dict[str, float | None]
    after: dict[str, float | None]


class BenchmarkSummary(BaseModel):
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
        seconds: label of a step -> how long it took when it was made.
        report: path of the page.
    """

    model: str
    limit: int | None
    selected_layers: tuple[int, ...]
    chosen_by: ChosenBy
    trained_share: float
    accuracy: BeforeAfter
    pcr: BeforeAfter
    benchmarks: dict[str, BenchmarkSummary]
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
        seconds: label of a step -> how long it took when it was made.
    """

    model: str
    limit: int | None
    accuracy: dict[str, dict[str, float]]
    avg: dict[str, float]
    avg_non_en: dict[str, float | None]
    seconds: dict[str, float]


def summarize(config: RunConfig, run: Slam, artifacts: Artifacts, report: Location) -> Summary:
    """Sum up a finished run."""
    steps = run.steps
    benchmarks = {
        each.name: _benchmark(artifacts[each.before].result, artifacts[each.after].result) for each in steps.benchmarks
    }
    first = next(iter(benchmarks.values()))
    selection = artifacts[steps.selection].result
    overlap = {"before": selection.mean_overlap}
    if steps.tuned_selection is not None:
        overlap["after"] = artifacts[steps.tuned_selection].result.mean_overlap
    losses = steps.english and tuple(artifacts[step].result.loss for step in steps.english)
    return Summary(
        model=config.model.hub or config.model.path or "",
        limit=config.limit,
        selected_layers=selection.layers,
        chosen_by=selection.chosen_by,
        trained_share=artifacts[steps.training].result.trained_share,
        accuracy=first.accuracy,
        pcr=first.pcr,
        benchmarks=benchmarks,
        mean_overlap=overlap,
        english_loss=losses,
        seconds=_seconds([run.report], artifacts),
        report=str(report),
    )


def all_scores(run: Slam, artifacts: Artifacts) -> dict[str, Any]:
    """By benchmark all that was measured: the scores before and after tuning, and their comparison."""
    return {
        each.name: {
            "before": artifacts[each.before].result.model_dump(mode="json"),
            "after": artifacts[each.after].result.model_dump(mode="json"),
            "comparison": artifacts[each.comparison].result.model_dump(mode="json"),
        }
        for each in run.steps.benchmarks
    }


def summarize_evaluation(
    config: RunConfig, steps: Mapping[str, Step[Scores]], artifacts: Artifacts
) -> EvaluationSummary:
    """Sum up a finished evaluation."""
    headlines = {name: artifacts[step].result.headline for name, step in steps.items()}
    return EvaluationSummary(
        model=config.model.hub or config.model.path or "",
        limit=config.limit,
        accuracy={
            name: {code: score.accuracy for code, score in headline.languages.items()}
            for name, headline in headlines.items()
        },
        avg={name: headline.avg for name, headline in headlines.items()},
        avg_non_en={name: headline.avg_non_en for name, headline in headlines.items()},
        seconds=_seconds([*steps.values()], artifacts),
    )


def _seconds(last: Sequence[Step[Any]], artifacts: Artifacts) -> dict[str, float]:
    return {step.label: artifacts.storage.record(artifacts[step])["seconds"] for step in steps_to(*last)}


def _benchmark(before: Scores, after: Scores) -> BenchmarkSummary:
    headline, other = before.names

    def both(value: Callable[[Scores, str], float | None]) -> BeforeAfter:
        one, two = ({code: value(scores, code) for code in scores.cut} for scores in (before, after))
        return BeforeAfter(before=one, after=two)

    return BenchmarkSummary(
        extractor=headline,
        accuracy=both(lambda scores, code: scores.extractors[headline].languages[code].accuracy),
        pcr=both(lambda scores, code: scores.extractors[headline].languages[code].pcr),
        other_extractor=other,
        other_accuracy=both(lambda scores, code: scores.extractors[other].languages[code].accuracy),
        cut=both(lambda scores, code: scores.cut[code]),
        own_language=both(lambda scores, code: scores.written[code].get(code, 0.0) if is_recognised(code) else None),
    )

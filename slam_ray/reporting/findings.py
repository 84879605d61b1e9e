"""The results of a run's steps side by side, as the page and the table show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from slam_ray.activations import StatesResult
from slam_ray.config import ENGLISH
from slam_ray.corpora import Prepared
from slam_ray.evaluation import EnglishLoss
from slam_ray.evaluation.accuracy import ExtractorScores, LanguageScore, Scores
from slam_ray.evaluation.comparison import AverageChange, Comparison, ExtractorComparison, LanguageChange
from slam_ray.evaluation.extraction import Extractor
from slam_ray.models.families import WHOLE_LAYER
from slam_ray.selection import SelectResult
from slam_ray.training import StepLoss, TrainResult

# An end of an interval this close to 0 is 0 but for rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class LanguageRow:
    """One language before and after tuning, in percent; pairs are (before, after).

    Attributes:
        before: scores by the headline extractor.
        after: scores by the same one.
        change: from before to after.
        other: accuracy by the other extractor.
        cut: share of the responses that ended at the token limit.
        written: the language of most responses, and their share.
    """

    language: str
    before: LanguageScore
    after: LanguageScore
    change: LanguageChange
    other: tuple[float, float]
    cut: tuple[float, float]
    written: tuple[tuple[str, float], tuple[str, float]]


@dataclass(frozen=True)
class AverageRow:
    """The mean over languages, `english` among them or not; the pair `other` is (before, after)."""

    english: bool
    before: float
    after: float
    change: AverageChange
    other: tuple[float, float]

    @property
    def name(self) -> str:
        """Names the languages that it is over."""
        return "average" if self.english else "average without English"

    @property
    def verdict(self) -> str:
        """The change in words; it is significant if its interval does not include 0."""
        if self.change.low > ROUNDING:
            return "rises significantly"
        if self.change.high < -ROUNDING:
            return "falls significantly"
        return "does not change significantly"


@dataclass(frozen=True)
class BenchmarkFindings:
    """One benchmark: the base model, the tuned one, and how they compare."""

    name: str
    before: Scores
    after: Scores
    comparison: Comparison

    @property
    def extractors(self) -> tuple[Extractor, ...]:
        """The headline and the other one."""
        return self.before.names

    @property
    def languages(self) -> list[LanguageRow]:
        """A row for each language, in the order of the scores."""
        before, after, change = self._by(self.extractors[0])
        other_before, other_after, _ = self._by(self.extractors[1])
        return [
            LanguageRow(
                language=code,
                before=score,
                after=after.languages[code],
                change=change.languages[code],
                other=(other_before.languages[code].accuracy, other_after.languages[code].accuracy),
                cut=(self.before.cut[code], self.after.cut[code]),
                written=(most_written(self.before, code), most_written(self.after, code)),
            )
            for code, score in before.languages.items()
        ]

    @property
    def correction(self) -> str:
        """How the p values of several languages are corrected; "" for a single language."""
        count = len(self.languages)
        return f"Holm-corrected over the {count} languages" if count > 1 else ""

    @property
    def averages(self) -> list[AverageRow]:
        """The average with English, if it is a language of the benchmark, and without it, if others are."""
        before, after, change = self._by(self.extractors[0])
        other_before, other_after, _ = self._by(self.extractors[1])
        rows = []
        for english, changed in ((True, change.avg), (False, change.avg_non_en)):
            if changed is None or (english and ENGLISH not in before.languages):
                continue
            old, new, other_old, other_new = (
                _average(scores, english) for scores in (before, after, other_before, other_after)
            )
            rows.append(AverageRow(english, old, new, changed, (other_old, other_new)))
        return rows

    @property
    def headline(self) -> AverageRow:
        """The average over the languages other than English; that of English if it is the only one."""
        return self.averages[-1]

    @property
    def problems(self) -> str:
        """Problems a language, e.g. "200" or "150 to 200"."""
        return problems_per_language(self.before.headline)

    def _by(self, extractor: Extractor) -> tuple[ExtractorScores, ExtractorScores, ExtractorComparison]:
        return (
            self.before.extractors[extractor],
            self.after.extractors[extractor],
            self.comparison.extractors[extractor],
        )


def problems_per_language(scores: ExtractorScores) -> str:
    """Problems a language, e.g. "200" or "150 to 200"."""
    counts = [score.n for score in scores.languages.values()]
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def most_written(scores: Scores, language: str) -> tuple[str, float]:
    """The language of most responses to questions in `language`, and their share in percent."""
    return next(iter(scores.written[language].items()))


def _average(scores: ExtractorScores, english: bool) -> float:
    average = scores.avg if english else scores.avg_non_en
    assert average is not None, "there is a language other than English"
    return average


@dataclass(frozen=True)
class StepRecord:
    """A step that the run rests on: its identity, when and for how long it ran, and what decided its result."""

    label: str
    fingerprint: str
    started: str
    seconds: float
    config: Mapping[str, Any]


@dataclass(frozen=True)
class StateMap:
    """A map of one model's hidden states: `points` [depths, languages, questions, 2], which `result` describes."""

    result: StatesResult
    points: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Findings:
    """All that a report on a run shows.

    Attributes:
        run: its name.
        model: name of the base model.
        made: time of the report.
        limit: in a smoke run, the number of questions, pairs and problems.
        selection: which layers handle the input language, and why.
        projections: the weights of the selected layers that were tuned.
        pairs: the training texts, and what cleaning dropped.
        training: its result.
        english: the loss on English text before and after, if it was measured.
        losses: one for each optimizer step.
        benchmarks: at least one.
        steps: in the order of their calls.
        versions: package -> version.
        tuned_selection: shares and overlap of the tuned model, if it was counted.
        states: hidden states of the base and, if it was counted, of the tuned model; empty if they were not wanted.
        names: of the languages that the configuration adds, by code.
    """

    run: str
    model: str
    made: str
    limit: int | None
    selection: SelectResult
    projections: tuple[str, ...]
    pairs: Prepared
    training: TrainResult
    english: tuple[EnglishLoss, EnglishLoss] | None
    losses: tuple[StepLoss, ...]
    benchmarks: tuple[BenchmarkFindings, ...]
    steps: tuple[StepRecord, ...]
    versions: Mapping[str, str]
    tuned_selection: SelectResult | None = None
    states: tuple[StateMap, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def tuned(self) -> str:
        """The tuned layers and how they were chosen: "layers 0 and 2 of 8 (counted from 0), chosen by the rule"."""
        count = len(self.selection.msd)
        return f"{layer_names(self.selection.layers)} of {count} (counted from 0), {self.chosen_by}"

    @property
    def chosen_by(self) -> str:
        """How the tuned layers were chosen."""
        return {
            "rule": "chosen by the rule",
            "config": "typed into the configuration",
            "first": "the first ones, by configuration",
            "random": "drawn at random, as many as the rule selects",
            "all": "all of them, by configuration",
        }[self.selection.chosen_by]

    @property
    def weights(self) -> str:
        """The weights of these layers that were tuned, e.g. "up and down of the FFN"."""
        if WHOLE_LAYER in self.projections:
            return "all weights"
        parts = {"FFN": ("up", "down", "gate"), "attention": ("q", "k", "v", "o")}
        tuned = {part: [name for name in names if name in self.projections] for part, names in parts.items()}
        return " and ".join(f"{listed(names)} of the {part}" for part, names in tuned.items() if names)


def listed(items: Sequence[object]) -> str:
    """At least one item in words, e.g. "0, 1 and 4"."""
    *first, last = map(str, items)
    return f"{', '.join(first)} and {last}" if first else last


def layer_names(layers: Sequence[int]) -> str:
    """Layers in words, e.g. "layers 0, 1 and 4"."""
    if not layers:
        return "no layer"
    return f"{'layer' if len(layers) == 1 else 'layers'} {listed(layers)}"


def first_layers(count: int) -> str:
    """The first `count` layers in words, e.g. "layers 0 to 5"."""
    return f"layers 0 to {count - 1}" if count > 1 else layer_names(range(count))

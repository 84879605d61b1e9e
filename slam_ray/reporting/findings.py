"""What a run found, as the page and the table read it: plain values, all percentages in 0 to 100, layers from 0."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its 95 % interval, in percent or, for a difference, in points."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What may be said of a difference: it is significant only if its interval leaves out 0."""
        if self.low > 0:
            return "rises significantly"
        if self.high < 0:
            return "falls significantly"
        return "does not change significantly"


@dataclass(frozen=True)
class Outcome:
    """One model on the problems of one language.

    Attributes:
        accuracy: by the headline extractor, with its Wilson interval.
        strict: accuracy by the strict extractor.
        cut: share of responses that ended at the token limit.
        pcr: share of the problems solved in English that are solved here too; None without English.
    """

    accuracy: Interval
    strict: float
    cut: float
    pcr: float | None


@dataclass(frozen=True)
class LanguageChange:
    """One language before and after tuning; `mcnemar` is the exact two-sided p of the change."""

    language: str
    problems: int
    before: Outcome
    after: Outcome
    mcnemar: float

    @property
    def change(self) -> float:
        """Points of accuracy gained."""
        return self.after.accuracy.value - self.before.accuracy.value


@dataclass(frozen=True)
class AverageChange:
    """The mean accuracy over some languages before and after, `change` with its paired bootstrap interval."""

    languages: str
    before: float
    after: float
    change: Interval
    strict_before: float
    strict_after: float


@dataclass(frozen=True)
class Benchmark:
    """All languages of one benchmark; the last of `averages` is the headline (without English)."""

    name: str
    languages: tuple[LanguageChange, ...]
    averages: tuple[AverageChange, ...]

    @property
    def headline(self) -> AverageChange:
        """The average over the languages other than English."""
        return self.averages[-1]

    @property
    def problems(self) -> str:
        """Problems a language, e.g. "200" or "150 to 200"."""
        counts = [change.problems for change in self.languages]
        return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


@dataclass(frozen=True)
class Layers:
    """Which layers handle the input language, and why (Eq. 2-7).

    Attributes:
        languages: N codes in the order of `share`.
        share: [N][layers] activated neurons of all.
        others: the N - 1 codes other than English in the order of `overlap`.
        overlap: [N - 1][layers] overlap with English.
        mean_overlap: [layers].
        k_end: first layer after K.
        msd: [layers].
        theta: mean MSD over K.
        selected: the tuned layers.
        by_rule: whether Eq. 5-7 chose them; else they were typed into the configuration.
        stability: [layers] share of the resamples that select the layer.
    """

    languages: tuple[str, ...]
    share: tuple[tuple[float, ...], ...]
    others: tuple[str, ...]
    overlap: tuple[tuple[float, ...], ...]
    mean_overlap: tuple[float, ...]
    k_end: int
    msd: tuple[float, ...]
    theta: float
    selected: tuple[int, ...]
    by_rule: bool
    stability: tuple[float, ...]

    @property
    def names(self) -> str:
        """The selected layers in words, e.g. "layers 0, 1 and 4"."""
        if not self.selected:
            return "no layer"
        *first, last = (str(layer) for layer in self.selected)
        return f"layers {', '.join(first)} and {last}" if first else f"layer {last}"

    @property
    def chosen_by(self) -> str:
        """Who chose them."""
        return "chosen by the rule" if self.by_rule else "typed into the configuration"


@dataclass(frozen=True)
class Tuning:
    """How the selected layers were tuned; `losses` has one value an optimizer step."""

    projections: tuple[str, ...]
    trained_share: float
    pairs: int
    dropped: int
    steps: tuple[int, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class StepRecord:
    """A step that the run rests on: identity, when and for how long it ran, with what."""

    title: str
    fingerprint: str
    started: str
    seconds: float
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Findings:
    """All that one run has to say.

    Attributes:
        run: its name.
        model: the model it started from, as it was given.
        made: when the report was made.
        limit: a smoke run on the first `limit` questions, pairs and problems.
        benchmarks: the first one is the headline.
        steps: in the order in which they ran.
        versions: package -> version, of the newest step.
    """

    run: str
    model: str
    made: str
    limit: int | None
    layers: Layers
    tuning: Tuning
    benchmarks: tuple[Benchmark, ...]
    steps: tuple[StepRecord, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

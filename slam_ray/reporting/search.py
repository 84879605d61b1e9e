"""What a search came to: each trial, the best within the bound on English, the Pareto front, table and figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from slam_ray.evaluation.comparison import AverageChange
from slam_ray.reporting.figures import layer_range_figure, pareto_figure
from slam_ray.terminal.table import aligned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARETO, RANGES = "pareto.png", "layer_ranges.png"
FOOT = "* on the Pareto front of accuracy and parameters trained, of the trials within the bound on English"


class TrialResult(BaseModel):
    """One trial; accuracies in percent and losses in points, on the problems kept for choosing.

    Attributes:
        number: in the order of drawing; 0 is the configuration's own selection.
        point: searched key -> what was drawn for it; a list as its words, nothing as "null".
        state: trained to its end, stopped by ASHA on the way, or failed.
        share: of its training that was done; accuracies are those of that rung's problems.
        layers: the tuned layers, 0-based.
        trained_share: of the model's parameters.
        english_loss: against the untuned model on the same problems.
        within_bound: it may be the best: finished, and English lost no more than allowed.
        front: no other trial within the bound is at least as accurate with at most as many parameters trained.
        same_training_as: the first trial that came to the same layers and hyper-parameters.
        seconds: that its training took, starts included.
        error: of a failed trial.
    """

    number: int
    point: dict[str, str | int | float]
    state: Literal["finished", "stopped", "failed"]
    share: float = 0.0
    layers: tuple[int, ...] = ()
    trained_share: float | None = None
    non_english: float | None = None
    english: float | None = None
    english_loss: float | None = None
    within_bound: bool = False
    front: bool = False
    same_training_as: int | None = None
    seconds: float = 0.0
    error: str | None = None

    @property
    def merits(self) -> tuple[float, float]:
        """Non-English accuracy, and minus the share of parameters trained; of a trial that reported both."""
        assert self.non_english is not None
        assert self.trained_share is not None
        return self.non_english, -self.trained_share


class ChangeToBest(AverageChange):
    """The non-English accuracy of the best trial against that of trial 0, on a reported benchmark.

    Attributes:
        own: of trial 0, in percent.
        best: of the best trial.
        english_difference: the same difference in English; null where the benchmark has none.
    """

    own: float
    best: float
    english_difference: float | None


class SearchResult(BaseModel):
    """`search.json`.

    Attributes:
        limit: a smoke search on so many records of each language.
        english_bound: points of English that the best may lose.
        problems: to choose on, of each language.
        pairs: that trials trained on, of each language; null for all.
        base_english: accuracy of the untuned model on the problems, in percent.
        base_non_english: the same over the other languages.
        best: the most accurate trial within the bound, of several the one with fewer parameters trained; null if none.
        trials: in the order of drawing.
        test: benchmark -> the best against trial 0; empty if either is missing.
        training_seconds: of all trainings together, each counted once.
    """

    name: str
    model: str
    limit: int | None
    english_bound: float
    problems: int
    pairs: int | None
    base_english: float
    base_non_english: float
    best: TrialResult | None
    trials: list[TrialResult]
    test: dict[str, ChangeToBest]
    training_seconds: float


def keeps_english(loss: float, bound: float) -> bool:
    """Whether a loss in points keeps to the bound; a difference of two percentages may be a hair beyond its value."""
    return loss <= bound + 1e-9


def with_front(trials: Sequence[TrialResult], bound: float) -> list[TrialResult]:
    """The trials with their `within_bound` and `front` set; `bound` is on the loss of English."""
    allowed = [
        trial
        for trial in trials
        if trial.state == "finished" and trial.english_loss is not None and keeps_english(trial.english_loss, bound)
    ]
    front = [trial for trial in allowed if not any(_dominates(other, trial) for other in allowed)]
    return [trial.model_copy(update={"within_bound": trial in allowed, "front": trial in front}) for trial in trials]


def best_of(trials: Sequence[TrialResult]) -> TrialResult | None:
    """The most accurate trial within the bound; of equals the one that trains less, then the earlier."""
    allowed = [trial for trial in trials if trial.within_bound]
    return max(allowed, key=lambda trial: (*trial.merits, -trial.number), default=None)


def training_seconds(trials: Sequence[TrialResult]) -> float:
    """What all trainings took together: of trials with one training that of the one that went furthest."""
    longest: dict[int, float] = {}
    for trial in trials:
        first = trial.number if trial.same_training_as is None else trial.same_training_as
        longest[first] = max(longest.get(first, 0.0), trial.seconds)
    return sum(longest.values())


def _dominates(one: TrialResult, other: TrialResult) -> bool:
    return one.merits != other.merits and all(a >= b for a, b in zip(one.merits, other.merits, strict=True))


def search_table(result: SearchResult) -> str:
    """The trials as text, what is best, and what the test says of it."""
    heads = ("trial", "layers", "trained", "non-English", "English", "lost", "seconds", "state")
    base = ("base", "-", "-", f"{result.base_non_english:.1f}", f"{result.base_english:.1f}", "-", "-", "")
    lines = aligned([heads, base, *map(_cells, result.trials)], left=(1, 7))
    head = f"{result.name}: accuracy in percent on {result.problems} problems a language kept for choosing"
    if result.limit is not None:
        head = f"SMOKE SEARCH on the first {result.limit} records of each language: not a result\n\n{head}"
    cost = f"all trainings took {result.training_seconds:.0f} s, their starts included"
    return "\n".join([head, *lines, FOOT, "", *_conclusion(result), cost])


def _cells(trial: TrialResult) -> tuple[str, ...]:
    if trial.error is not None:
        line, _, more = trial.error.partition("\n")
        error = line if len(line) <= 80 and not more else line[:77] + "..."
        return (str(trial.number), *("-",) * 6, f"failed: {error}")
    state: str = trial.state if trial.state != "stopped" else f"stopped at {trial.share:.0%}"
    if trial.same_training_as is not None:
        state += f", trained as {trial.same_training_as}"
    accuracy, untrained = trial.merits
    return (
        str(trial.number),
        " ".join(map(str, trial.layers)),
        f"{-100 * untrained:.2f} %",
        f"{accuracy:.1f}{'*' if trial.front else ' '}",
        f"{trial.english:.1f}",
        f"{trial.english_loss:+.1f}",
        f"{trial.seconds:.0f}",
        state,
    )


def _conclusion(result: SearchResult) -> list[str]:
    best = result.best
    if best is None:
        return [
            f"best: none; every finished trial loses more than {result.english_bound:g} points of English"
            " (search.english_loss)"
        ]
    settings = ", ".join(f"{key} {value}" for key, value in best.point.items())
    lines = [f"best: trial {best.number}, layers {' '.join(map(str, best.layers))} ({settings})"]
    for name, change in result.test.items():
        english = "" if change.english_difference is None else f", English {change.english_difference:+.1f}"
        lines.append(
            f"{name} (the test): non-English {change.own:.1f} (trial 0) to {change.best:.1f} (trial {best.number}):"
            f" {change.difference:+.1f} points [{change.low:+.1f}, {change.high:+.1f}]{english}"
        )
    if not result.test:
        finished = any(trial.number == 0 and trial.state == "finished" for trial in result.trials)
        why = "no benchmark has other languages than English" if finished else "trial 0 failed"
        lines.append(f"no comparison on the test: {why}")
    return lines


def search_figures(result: SearchResult, layers: int) -> "dict[str, Figure]":
    """The figures of the finished trials, by the names of their files; `layers` are the model's.

    The second is there if a trial trained all layers from the first on.
    """
    trials = [trial for trial in result.trials if trial.state == "finished"]
    if not trials:
        return {}
    accuracy = [trial.merits[0] for trial in trials]
    indices = {trial.number: index for index, trial in enumerate(trials)}
    trial_0, best = indices.get(0), indices.get(result.best.number) if result.best else None
    shares, front = [-trial.merits[1] for trial in trials], [trial.front for trial in trials]
    figures = {PARETO: pareto_figure(shares, accuracy, front, trial_0, best, result.base_non_english)}
    ranges = [index for index, trial in enumerate(trials) if trial.layers == tuple(range(len(trial.layers)))]
    if ranges:
        figures[RANGES] = layer_range_figure(
            [trials[index].layers[-1] for index in ranges],
            [accuracy[index] for index in ranges],
            layers,
            None if trial_0 is None else accuracy[trial_0],
            result.base_non_english,
        )
    return figures

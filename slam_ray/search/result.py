"""What a search found: a row a trial, the best within the bound on English, the Pareto front, `search.json`."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from slam_ray.pipeline.table import aligned

State = Literal["finished", "stopped", "failed"]


class TrialRow(BaseModel):
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
        front: no other row within the bound is at least as accurate with at most as many parameters trained.
        same_training_as: the first trial that came to the same layers and hyper-parameters.
        seconds: that its training took, starts included.
        error: of a failed trial.
    """

    number: int
    point: dict[str, str | int | float]
    state: State
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


class Difference(BaseModel):
    """The best trial against trial 0 on a reported benchmark.

    Attributes:
        own: non-English accuracy of trial 0, in percent.
        best: of the best trial.
        difference: in points, with its 95 % paired bootstrap interval `low` to `high`.
        english_difference: the same difference in English; null where the benchmark has none.
    """

    own: float
    best: float
    difference: float
    low: float
    high: float
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
        best: the most accurate row within the bound, the one with fewer parameters trained of several; null if none is.
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
    best: TrialRow | None
    trials: list[TrialRow]
    test: dict[str, Difference]
    training_seconds: float


def within(loss: float, bound: float) -> bool:
    """Whether a loss in points keeps to the bound; a difference of two percentages may be a hair beyond its value."""
    return loss <= bound + 1e-9


def judged(rows: Sequence[TrialRow], bound: float) -> list[TrialRow]:
    """The rows with their `within_bound` and `front` set."""
    allowed = [
        row
        for row in rows
        if row.state == "finished" and row.english_loss is not None and within(row.english_loss, bound)
    ]
    return [
        row.model_copy(
            update={
                "within_bound": row in allowed,
                "front": row in allowed and not any(_dominates(other, row) for other in allowed),
            }
        )
        for row in rows
    ]


def best_of(rows: Sequence[TrialRow]) -> TrialRow | None:
    """The most accurate of the judged rows within the bound; of equals the one that trains less, then the earlier."""
    allowed = [row for row in rows if row.within_bound]
    return min(allowed, key=lambda row: (-_accuracy(row), row.trained_share, row.number), default=None)


def training_seconds(rows: Sequence[TrialRow]) -> float:
    """What all trainings took together: of trials with one training that of the one that went furthest."""
    longest: dict[int, float] = {}
    for row in rows:
        first = row.number if row.same_training_as is None else row.same_training_as
        longest[first] = max(longest.get(first, 0.0), row.seconds)
    return sum(longest.values())


def _dominates(one: TrialRow, other: TrialRow) -> bool:
    better = (_accuracy(one), -_trained(one)), (_accuracy(other), -_trained(other))
    return all(a >= b for a, b in zip(*better, strict=True)) and better[0] != better[1]


def _accuracy(row: TrialRow) -> float:
    assert row.non_english is not None
    return row.non_english


def _trained(row: TrialRow) -> float:
    assert row.trained_share is not None
    return row.trained_share


def search_table(result: SearchResult) -> str:
    """The trials as text, what is best, and what the test says of it."""
    heads = ("trial", "layers", "trained", "non-English", "English", "lost", "seconds", "state")
    cells = [heads, ("base", "-", "-", f"{result.base_non_english:.1f}", f"{result.base_english:.1f}", "-", "-", ""), *(
        _cells(row) for row in result.trials
    )]  # fmt: skip
    lines = aligned(cells, left=(1, 7))
    head = f"{result.name}: accuracy in percent on {result.problems} problems a language kept for choosing"
    if result.limit is not None:
        head = f"SMOKE SEARCH on the first {result.limit} records of each language: not a result\n\n{head}"
    cost = f"all trainings took {result.training_seconds:.0f} s, their starts included"
    return "\n".join([head, *lines, FOOT, "", *_verdict(result), cost])


FOOT = "* on the Pareto front of accuracy and parameters trained, of the trials within the bound on English"


def _cells(row: TrialRow) -> tuple[str, ...]:
    state: str = row.state if row.state != "stopped" else f"stopped at {row.share:.0%}"
    if row.same_training_as is not None:
        state += f", trained as {row.same_training_as}"
    if row.error is not None:
        return (str(row.number), *("-",) * 6, f"failed: {_short(row.error)}")
    mark = "*" if row.front else " "
    return (
        str(row.number),
        " ".join(map(str, row.layers)),
        f"{100 * _trained(row):.2f} %",
        f"{_accuracy(row):.1f}{mark}",
        f"{row.english:.1f}",
        f"{row.english_loss:+.1f}",
        f"{row.seconds:.0f}",
        state,
    )


def _short(text: str) -> str:
    line, _, more = text.partition("\n")
    return line if len(line) <= 80 and not more else line[:77] + "..."


def _verdict(result: SearchResult) -> list[str]:
    best = result.best
    if best is None:
        return [
            f"best: none; every finished trial loses more than {result.english_bound:g} points of English"
            " (search.english_loss)"
        ]
    settings = ", ".join(f"{key} {value}" for key, value in best.point.items())
    lines = [f"best: trial {best.number}, layers {' '.join(map(str, best.layers))} ({settings})"]
    for name, found in result.test.items():
        english = "" if found.english_difference is None else f", English {found.english_difference:+.1f}"
        lines.append(
            f"{name} (the test): non-English {found.own:.1f} (trial 0) to {found.best:.1f} (trial {best.number}):"
            f" {found.difference:+.1f} points [{found.low:+.1f}, {found.high:+.1f}]{english}"
        )
    if not result.test:
        own = any(row.number == 0 and row.state == "finished" for row in result.trials)
        why = "no benchmark has other languages than English" if own else "trial 0 failed"
        lines.append(f"no comparison on the test: {why}")
    return lines

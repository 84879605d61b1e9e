"""Which trials work on the cluster now: some train side by side, one is evaluated at a time; plain threads, no Ray.

A search cannot deadlock: a training has its slot, and an evaluation the engines, only while they compute, and then they
wait for nothing; a trial that waits has neither. Whenever no trial works, one of those that wait may begin: one of the
kind of work that was done last, or, if none waits for that, one of the other kind.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from slam_ray.cluster.capacity import EXECUTION_KEYS, shortfall
from slam_ray.config import InputError
from slam_ray.store.workers import Workers

# A trial's driver mostly waits. Ray takes no trial that needs nothing at all.
DRIVER_CPUS = 0.01
# As many trials at a time are started at least, so that several are evaluated in one lifetime of the engines.
LEAST_TRIALS = 4
Kind = Literal["training", "evaluation"]


@dataclass(frozen=True)
class Capacity:
    """What a cluster can do at the same time.

    Attributes:
        trainings: how many of them.
        engines_stay: whether the engines stay up beside them; if not, trainings and evaluations take turns.
        trials: how many are under way.
    """

    trainings: int
    engines_stay: bool
    trials: int


def capacity_for(training: Workers, engines: Workers, nodes: Sequence[Mapping[str, float]], trials: int) -> Capacity:
    """How a search of so many trials uses empty `nodes` (their total resources); all workers are of one size.

    Raises:
        InputError: one trial never fits beside the drivers of the trials; it names what is missing.
    """
    under_way = min(trials, LEAST_TRIALS)
    while True:
        drivers = under_way * DRIVER_CPUS
        free = [{**node, "CPU": max(0.0, node.get("CPU", 0) - drivers)} for node in nodes]
        for workers in (training, engines):
            if shortfall(workers, free):
                raise InputError(
                    f"a trial never fits this cluster: {workers.kind} wants {workers.count} workers of {workers.each}"
                    f" each beside the {drivers:.2f} CPU of {under_way} trials' drivers; add a node or lower"
                    f" --execution.{EXECUTION_KEYS[workers.kind]}"
                )
        engines_stay = _fit(engines.count + training.count, training, free)
        beside = engines.count if engines_stay else 0
        trainings = 1
        while trainings < trials and _fit(beside + (trainings + 1) * training.count, training, free):
            trainings += 1
        if under_way >= min(trials, 2 * trainings):
            return Capacity(trainings, engines_stay, under_way)
        under_way = min(trials, 2 * trainings)


def _fit(count: int, workers: Workers, nodes: Sequence[Mapping[str, float]]) -> bool:
    """Whether so many workers of this size fit the nodes."""
    return shortfall(replace(workers, count=count), nodes) is None


class DriverEnded(Exception):
    """A trial's driver has ended while it waited to train."""


class Schedule:
    """Says when a trial may train or be evaluated; trials are known by their names."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._changed = threading.Condition()
        self._trainings: dict[str, str] = {}  # trial -> what it trains
        self._evaluating = False
        self._waiting = Counter[Kind]()
        self._last: Kind = "training"
        self._ended_drivers = Counter[str]()  # by trial

    def begin_training(self, trial: str, training: str) -> None:
        """Wait for a slot, and until no other trial is at the same training.

        Raises:
            DriverEnded: the trial's driver has ended meanwhile.
        """
        driver = self._ended_drivers[trial]

        def may_go_on() -> bool:
            free = len(self._trainings) < self._capacity.trainings and training not in self._trainings.values()
            return self._ended_drivers[trial] != driver or (free and self._may("training"))

        with self._changed:
            self._wait("training", may_go_on)
            if self._ended_drivers[trial] != driver:
                raise DriverEnded(trial)
            self._trainings[trial] = training

    def end_training(self, trial: str) -> None:
        """Give the slot back, if the trial has one."""
        with self._changed:
            self._trainings.pop(trial, None)
            self._changed.notify_all()

    def end_driver(self, trial: str) -> None:
        """The trial's driver has ended, whatever it was at; the trial may have another one."""
        with self._changed:
            self._ended_drivers[trial] += 1
            self.end_training(trial)

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Wait until the engines are free for the block."""
        with self._changed:
            self._wait("evaluation", lambda: not self._evaluating and self._may("evaluation"))
            self._evaluating = True
        try:
            yield
        finally:
            with self._changed:
                self._evaluating = False
                self._changed.notify_all()

    @property
    def engines_wanted(self) -> bool:
        """Whether the engines stay up after this evaluation: beside trainings, or for an evaluation that waits."""
        with self._changed:
            return self._capacity.engines_stay or self._waiting["evaluation"] > 0

    def _wait(self, kind: Kind, may_go_on: Callable[[], bool]) -> None:
        self._waiting[kind] += 1
        try:
            self._changed.wait_for(may_go_on)
            self._last = kind
        finally:
            self._waiting[kind] -= 1
            self._changed.notify_all()

    def _may(self, kind: Kind) -> bool:
        """Whether the other kind lets this one work."""
        if self._capacity.engines_stay:
            return True
        other: Kind = "evaluation" if kind == "training" else "training"
        other_works = self._evaluating if kind == "training" else bool(self._trainings)
        return not other_works and (self._last == kind or not self._waiting[other])

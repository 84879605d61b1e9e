"""Who works on the cluster now: trainings side by side in slots, one evaluation at a time; plain threads, no Ray.

A search cannot deadlock: a training holds its slot and an evaluation the engines only while they compute, and neither
waits for anything then; whoever waits holds nothing. And whenever nobody works, one of those who wait may go on: one of
the kind that worked last, or, if none of that kind waits, one of the other.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from slam_ray.config import InputError
from slam_ray.pipeline.resources import KEYS, Workers

# A trial's driver mostly waits. Ray takes no trial that needs nothing at all.
DRIVER_CPUS = 0.01
# As many trials at a time are started at least, so that several are evaluated in one lifetime of the engines.
LEAST_TRIALS = 4
Kind = Literal["training", "evaluation"]


@dataclass(frozen=True)
class Room:
    """What a cluster has room for.

    Attributes:
        slots: trainings at the same time.
        kept: whether the engines stay up beside them; if not, trainings and evaluations take turns.
        trials: trials under way at the same time.
    """

    slots: int
    kept: bool
    trials: int


def room(training: Workers, engines: Workers, nodes: Sequence[Mapping[str, float]], trials: int) -> Room:
    """How a search of so many trials uses empty `nodes` (their total resources).

    Raises:
        InputError: one trial never fits beside the drivers of the trials; it names what is missing.
    """
    under_way = min(trials, LEAST_TRIALS)
    while True:
        drivers = under_way * DRIVER_CPUS
        free = [{**node, "CPU": node.get("CPU", 0) - drivers} for node in nodes]
        for workers in (training, engines):
            if not _fit([workers], free):
                wanted = f"{workers.count} workers of {workers.cpus} CPU" + (
                    f" and {workers.gpus} GPU" if workers.gpus else ""
                )
                raise InputError(
                    f"a trial never fits this cluster: {workers.kind} wants {wanted} each beside the {drivers:.2f} CPU"
                    f" of {under_way} trials' drivers; add a node or lower --execution.{KEYS[workers.kind]}"
                )
        kept = _fit([engines, training], free)
        beside = [engines] if kept else []
        slots = 1
        while slots < trials and _fit([*beside, *[training] * (slots + 1)], free):
            slots += 1
        if under_way >= min(trials, 2 * slots):
            return Room(slots, kept, under_way)
        under_way = min(trials, 2 * slots)


def _fit(groups: Sequence[Workers], nodes: Sequence[Mapping[str, float]]) -> bool:
    """Whether all groups have a place at the same time, each worker on the first node with room."""
    free = [dict(node) for node in nodes]
    for workers in groups:
        wanted = {"CPU": workers.cpus, "GPU": workers.gpus}
        for _ in range(workers.count):
            node = next((n for n in free if all(n.get(name, 0) >= each for name, each in wanted.items())), None)
            if node is None:
                return False
            for name, each in wanted.items():
                node[name] = node.get(name, 0) - each
    return True


class Left(Exception):
    """A trial's driver has ended while it waited for its turn."""


class Turns:
    """Gives turns to trials, which are known by their names."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._changed = threading.Condition()
        self._training: dict[str, str] = {}  # trial -> what it trains
        self._evaluating = False
        self._waiting: dict[Kind, int] = {"training": 0, "evaluation": 0}
        self._last: Kind = "training"
        self._drivers = Counter[str]()  # trial -> how many of its drivers are gone

    def begin_training(self, trial: str, training: str) -> None:
        """Wait for a slot, and until no other trial is at the same training.

        Raises:
            Left: the driver that asked is gone meanwhile.
        """
        driver = self._drivers[trial]

        def mine() -> bool:
            free = len(self._training) < self._room.slots and training not in self._training.values()
            return self._drivers[trial] != driver or (free and self._may("training"))

        with self._changed:
            self._wait("training", mine)
            if self._drivers[trial] != driver:
                raise Left(trial)
            self._training[trial] = training

    def end_training(self, trial: str) -> None:
        """Give the slot back; nothing if the trial holds none."""
        with self._changed:
            self._training.pop(trial, None)
            self._changed.notify_all()

    def leave(self, trial: str) -> None:
        """The trial's driver is gone, whatever it was at; the trial may have another one."""
        with self._changed:
            self._drivers[trial] += 1
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
        """Whether the engines stay up after this evaluation: where they are kept, or for one that waits."""
        with self._changed:
            return self._room.kept or self._waiting["evaluation"] > 0

    def _wait(self, kind: Kind, mine: Callable[[], bool]) -> None:
        self._waiting[kind] += 1
        try:
            self._changed.wait_for(mine)
            self._last = kind
        finally:
            self._waiting[kind] -= 1
            self._changed.notify_all()

    def _may(self, kind: Kind) -> bool:
        """Whether this kind may work as far as the other is concerned."""
        if self._room.kept:
            return True
        other: Kind = "evaluation" if kind == "training" else "training"
        works = self._evaluating if kind == "training" else bool(self._training)
        return not works and (self._last == kind or not self._waiting[other])

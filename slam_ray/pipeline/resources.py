"""Does a group of workers fit a cluster? A pure function from wishes and nodes to a named shortfall."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Workers:
    """A group of equal workers that run at the same time.

    Attributes:
        kind: what they do; the key of `execution` that sets their number.
        count: how many.
        cpus: CPU cores of each.
        gpus: GPUs of each.
    """

    kind: str
    count: int
    cpus: int
    gpus: int


# Kind -> the key of `execution` that sets the number of its workers.
KEYS = {"counting": "counting_actors", "training": "training_workers", "engines": "engines"}


def shortfall(workers: Workers, nodes: Sequence[Mapping[str, float]]) -> str | None:
    """Say what is missing for `workers` on empty `nodes` (their total resources), or None if they fit."""
    room = sum(
        min(int(node.get(name, 0) // each) for name, each in (("CPU", workers.cpus), ("GPU", workers.gpus)) if each)
        for node in nodes
    )
    if room >= workers.count:
        return None
    each = f"{workers.cpus} CPU" + (f" and {workers.gpus} GPU" if workers.gpus else "")
    return (
        f"{workers.kind}: {workers.count} workers of {each} each, but there is room for {room};"
        f" add nodes or set --execution.{KEYS[workers.kind]} {max(room, 1)}"
    )

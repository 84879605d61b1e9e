"""What a step may ask of the cluster that it runs on; `cluster/ray_cluster.py` answers, with Ray."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from slam_ray.config import InputError
from slam_ray.store.location import Location

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """A group of equal workers that run at the same time.

    Attributes:
        kind: what they do: "counting", "training" or "engines".
        count: how many.
        cpus: CPU cores of each.
        gpus: GPUs of each.
    """

    kind: str
    count: int
    cpus: int
    gpus: int

    @property
    def each(self) -> str:
        """What one of them takes, in words."""
        return f"{self.cpus} CPU" + (f" and {self.gpus} GPU" if self.gpus else "")


class Cluster(Protocol):
    """A run's hold on a cluster."""

    def workers(self, kind: str) -> Workers:
        """The workers of one kind, once the cluster has free resources for them.

        Raises:
            InputError: some kind can never fit this cluster, or a node does not see the run's folders.
        """

    def run_task(self, kind: str, function: Callable[..., T | InputError], *arguments: Any) -> T:
        """Call `function(*arguments, device)` in a process of its own in the place of one worker; wait for its result.

        Raises:
            InputError: the function returned it.
        """

    def keep(self, kind: str, start: Callable[[], AbstractContextManager[T]]) -> T:
        """What `start` opens; consecutive steps of this kind get the same."""

    def release(self, keep: str | None = None) -> None:
        """Close what is kept, unless it is of the kind `keep`, and wait until it has ended."""

    def wait_until_ended(self) -> None:
        """Wait until all that a step started has ended, but for what is kept."""

    def require(self, files: Collection[Location]) -> None:
        """From now on every node that works must see these files; raises InputError where one does not."""

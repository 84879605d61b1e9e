"""A run's hold on Ray: connected only when a step needs it, with the workers that each step may use.

Before a step of another kind, all that is kept is closed and has to end, and a step starts only when the cluster has
free resources for its workers, so that no two steps, and no two jobs, ever share a GPU's memory.
"""

import gc
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Self, TypeVar

from slam_ray.cluster.capacity import all_workers, wait_for_nodes, wait_until_free
from slam_ray.cluster.connection import connected, node_resources
from slam_ray.cluster.shared_paths import SharedPaths
from slam_ray.config import ExecutionConfig, InputError
from slam_ray.store.location import Location
from slam_ray.store.workers import Workers

T = TypeVar("T")
END_TIMEOUT_S = 120.0


class RayCluster:
    """Ray for one run, a `Cluster`; a context manager that closes at its end all that it opened.

    Args:
        execution: how many workers of each kind, on what, and how long to wait for nodes.
        storage: that workers write into, which every node must see.
    """

    def __init__(self, execution: ExecutionConfig, *, storage: Location | None = None) -> None:
        self._execution = execution
        self._paths = SharedPaths(storage)
        self._connection = ExitStack()
        self._workers: dict[str, Workers] = {}
        self._kept_kind: str | None = None
        self._kept: Any = None
        self._kept_open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._connection:
            self.release()

    def workers(self, kind: str) -> Workers:
        """See `Cluster`. The first call connects to Ray, and raises the errors of all kinds."""
        if not self._workers:
            self._connect()
            self._check_nodes(*self._workers.values())
        else:
            self._check_nodes(self._workers[kind])
        workers = self._workers[kind]
        if self._kept_kind != kind:
            # A node may come, or be lost, while others are waited for.
            wait_until_free(workers, lambda: self._check_nodes(workers))
        return workers

    def require(self, files: Collection[Location]) -> None:
        """See `Cluster`."""
        if self._paths.add(files) and self._workers:
            self._paths.check()

    def run_task(self, kind: str, function: Callable[..., T | InputError], *arguments: Any) -> T:
        """See `Cluster`. The function returns its InputError: Ray would wrap one that it raised."""
        workers = self.workers(kind)
        import ray

        # The process ends with its one task, and with it what it holds of a GPU.
        task = ray.remote(max_calls=1, num_cpus=workers.cpus, num_gpus=workers.gpus)(function)
        outcome: T | InputError = ray.get(task.remote(*arguments, "cuda" if workers.gpus else "cpu"))
        if isinstance(outcome, InputError):
            raise outcome
        return outcome

    def keep(self, kind: str, start: Callable[[], AbstractContextManager[T]]) -> T:
        """See `Cluster`."""
        if self._kept_kind != kind:
            self.release()
            self._kept = self._kept_open.enter_context(start())
            self._kept_kind = kind
        kept: T = self._kept
        return kept

    def release(self, keep: str | None = None) -> None:
        """See `Cluster`."""
        if self._kept_kind is not None and self._kept_kind != keep:
            self._kept_kind = self._kept = None
            self._kept_open.close()
            self.wait_until_ended()

    def wait_until_ended(self) -> None:
        """See `Cluster`."""
        if not self._workers or self._kept_kind is not None:
            return
        from slam_ray.cluster.ray_internals import living_actors_of_this_process

        deadline = time.monotonic() + END_TIMEOUT_S
        while actors := living_actors_of_this_process():
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"a stage ended, but after {END_TIMEOUT_S:.0f} s still at work are its {', '.join(actors)}"
                )
            gc.collect()  # an actor lives as long as a handle of it, also one in a cycle that an error has made
            time.sleep(0.1)

    def _connect(self) -> None:
        self._connection.enter_context(connected())
        self._workers = all_workers(self._execution, node_resources())

    def _check_nodes(self, *kinds: Workers) -> None:
        """Wait for the nodes that these kinds need, and check whether new ones see the run's folders."""
        wait_for_nodes(kinds, self._execution.node_wait_s)
        self._paths.check()

"""The run's hold on Ray: connected only when a step needs it, with the workers each step may use.

Between steps of different kinds everything held is let go and has to end, and a step starts only when the cluster has
room for its workers, so that no two stages, and no two jobs, ever share a GPU's memory.
"""

import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Self, TypeVar

from slam_ray.config import ExecutionConfig, InputError
from slam_ray.pipeline.left import left_of_this_process, remove_orphaned_groups
from slam_ray.pipeline.location import Location
from slam_ray.pipeline.resources import KEYS, Workers, shortfall
from slam_ray.pipeline.seen import check_seen

T = TypeVar("T")
END_TIMEOUT_S = 120.0
SAID_AFTER_S = 5.0  # that others hold the room


class Context:
    """Ray for one run; a context manager that lets everything go at its end.

    Args:
        execution: how many workers of each kind, on what, and how long to wait for nodes.
        storage: that workers write into, which every node must see.
    """

    def __init__(self, execution: ExecutionConfig, *, storage: Location | None = None) -> None:
        self.execution = execution
        self._storage = storage
        self._files: set[Location] = set()
        self._seeing: set[str] = set()
        self._exit = ExitStack()
        self._held: tuple[str, Any, ExitStack] | None = None
        self._workers: dict[str, Workers] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
        self._exit.close()

    def workers(self, kind: str) -> Workers:
        """The workers of one kind ("counting", "training", "engines"), once there is room for them.

        Connects to Ray at the first call. Room that other jobs hold is waited for.

        Raises:
            InputError: some kind does not fit this cluster (at the first call, for all kinds), or a node does not see
                the storage or what else is required.
        """
        if not self._workers:
            self._connect()
            self._have_room(*self._workers.values())
        else:
            self._have_room(self._workers[kind])
        if self._held is None or self._held[0] != kind:
            self._wait_for_room(self._workers[kind])
        return self._workers[kind]

    def require(self, files: Collection[Location]) -> None:
        """From now on every node that does work must see these, which workers read there.

        Raises:
            InputError: a node of the cluster, if that is connected already, does not see one.
        """
        if not self._files.issuperset(files):
            self._files.update(files)
            self._seeing.clear()
            if self._workers:
                self._check_folders()

    def once(self, kind: str, function: Callable[..., T | InputError], *arguments: Any) -> T:
        """Call `function(*arguments, device)` in a process of its own in the place of one worker; wait for its result.

        Raises:
            InputError: the function returned it; Ray would wrap one that it raised.
        """
        workers = self.workers(kind)
        import ray

        # Called once: the process ends with the task, and with it what it holds of a GPU.
        task = ray.remote(max_calls=1, num_cpus=workers.cpus, num_gpus=workers.gpus)(function)
        outcome: T | InputError = ray.get(task.remote(*arguments, "cuda" if workers.gpus else "cpu"))
        if isinstance(outcome, InputError):
            raise outcome
        return outcome

    def hold(self, kind: str, make: Callable[[], AbstractContextManager[T]]) -> T:
        """Return what `make` opens, kept open while consecutive steps are of this kind."""
        if self._held is None or self._held[0] != kind:
            self.release()
            stack = ExitStack()
            self._held = (kind, stack.enter_context(make()), stack)
        held: T = self._held[1]
        return held

    def release(self, keep: str | None = None) -> None:
        """Close what is held, unless it is of the kind `keep`, and wait until it has ended."""
        if self._held is not None and self._held[0] != keep:
            _, _, stack = self._held
            self._held = None
            stack.close()
            self._wait_until_ended()

    def settle(self) -> None:
        """After a step: wait until all it started has ended, unless workers are held for the next one."""
        if self._workers and self._held is None:
            self._wait_until_ended()

    def _connect(self) -> None:
        import ray

        if not ray.is_initialized():
            if not os.environ.get("RAY_ADDRESS"):
                from slam_ray.pipeline.local_ray import local_ray

                self._exit.enter_context(local_ray())
            on_sigterm = signal.getsignal(signal.SIGTERM)
            ray.init(logging_level=logging.WARNING)
            self._exit.callback(ray.shutdown)
            signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own prints the stack and ends the process
        device = self.execution.device
        gpus = device == "gpu" or (device == "auto" and any(node.get("GPU", 0) >= 1 for node in _resources()))
        self._workers = {
            kind: Workers(kind, getattr(self.execution, key), cpus=1, gpus=int(gpus)) for kind, key in KEYS.items()
        }

    def _have_room(self, *kinds: Workers) -> None:
        """Wait for the nodes that these need, each kind by itself, and look whether the new ones see the storage."""
        lacking = []
        for kind in kinds:
            text = shortfall(kind, _resources())
            if text and not self._nodes_come(kind, text):
                lacking.append(text)
        if lacking:
            waited = self.execution.node_wait_s
            what = f"no nodes came within {waited:g} s for" if waited else "this cluster can never run"
            raise InputError(f"{what} this configuration:\n  " + "\n  ".join(lacking))
        self._check_folders()

    def _nodes_come(self, kind: Workers, lacking: str) -> bool:
        """Ask the cluster's autoscaler for nodes, by a placement group that ends with this process."""
        if not self.execution.node_wait_s:
            return False
        from ray.util import placement_group, remove_placement_group

        print(f"waiting for nodes: {lacking}", flush=True)
        bundle = {"CPU": kind.cpus, "GPU": kind.gpus} if kind.gpus else {"CPU": kind.cpus}
        group = placement_group([bundle] * kind.count)
        try:
            return bool(group.wait(self.execution.node_wait_s))
        finally:
            remove_placement_group(group)

    def _check_folders(self) -> None:
        import ray

        nodes = [node for node in ray.nodes() if node["Alive"]]
        new = [node for node in nodes if node["Resources"].get("CPU") and node["NodeID"] not in self._seeing]
        if self._storage is not None and len(nodes) > 1:
            check_seen(self._storage, sorted(self._files, key=str), new)
            self._seeing |= {node["NodeID"] for node in new}

    def _wait_for_room(self, kind: Workers) -> None:
        """Wait until so much is free; what ends in a moment is not spoken of."""
        from ray._private.state import available_resources_per_node

        start, said = time.monotonic(), False
        while text := shortfall(kind, list(available_resources_per_node().values())):
            remove_orphaned_groups()
            self._have_room(kind)  # a node may be lost meanwhile, or come
            if not said and time.monotonic() > start + SAID_AFTER_S:
                print(f"waiting until other jobs of this cluster leave room for {text.partition(',')[0]}", flush=True)
                said = True
            time.sleep(0.1)

    def _wait_until_ended(self) -> None:
        deadline = time.monotonic() + END_TIMEOUT_S
        while left := left_of_this_process():
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"a stage ended, but after {END_TIMEOUT_S:.0f} s still at work are its {', '.join(left)}"
                )
            gc.collect()  # an actor lives as long as a handle of it, also one in a cycle of what an error has left
            time.sleep(0.1)


def _resources() -> list[dict[str, float]]:
    """What each node of the cluster has in all."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]

"""The run's hold on Ray: connected only when a step needs it, with the workers each step may use.

Between steps of different kinds everything held is let go, and the next step starts only when the cluster is idle
again, so that no two stages ever share a GPU's memory.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Self, TypeVar

import psutil

from slam_ray.config import ExecutionConfig, InputError
from slam_ray.pipeline.resources import KEYS, Workers, shortfall

T = TypeVar("T")
IDLE_TIMEOUT_S = 120.0
NOBODY: Mapping[str, float] = {}


class Context:
    """Ray for one run; a context manager that lets everything go at its end.

    Args:
        execution: how many workers of each kind.
        others: how much of "CPU" and "GPU" others may hold all the while; a stage has ended without that being free.
    """

    def __init__(self, execution: ExecutionConfig, others: Mapping[str, float] = NOBODY) -> None:
        self.execution, self._others = execution, others
        self._exit = ExitStack()
        self._held: tuple[str, Any, ExitStack] | None = None
        self._workers: dict[str, Workers] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
        self._exit.close()

    def workers(self, kind: str) -> Workers:
        """The workers of one kind ("counting", "training", "engines"); connects to Ray at the first call.

        Raises:
            InputError: some kind can never fit this cluster; raised at the first call, for all kinds.
        """
        if not self._workers:
            self._workers = self._connect()
        return self._workers[kind]

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
        """Close what is held, unless it is of the kind `keep`, and wait until the cluster is idle."""
        if self._held is not None and self._held[0] != keep:
            _, _, stack = self._held
            self._held = None
            stack.close()
            self._wait_until_idle()

    def settle(self) -> None:
        """After a step: wait until all it used is free, unless workers are held for the next one."""
        if self._workers and self._held is None:
            self._wait_until_idle()

    def _connect(self) -> dict[str, Workers]:
        import ray

        if not ray.is_initialized():
            if not os.environ.get("RAY_ADDRESS"):
                from slam_ray.pipeline.local_ray import local_ray

                self._exit.enter_context(local_ray())
            ray.init(logging_level=logging.WARNING)
            self._exit.callback(ray.shutdown)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpu = 1 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0
        workers = {kind: Workers(kind, getattr(self.execution, key), cpus=1, gpus=gpu) for kind, key in KEYS.items()}
        missing = [text for kind in workers.values() if (text := shortfall(kind, nodes))]
        if missing:
            raise InputError("this cluster can never run this configuration:\n  " + "\n  ".join(missing))
        return workers

    def _wait_until_idle(self) -> None:
        import ray

        deadline = time.monotonic() + IDLE_TIMEOUT_S
        while True:
            total, free = ray.cluster_resources(), ray.available_resources()
            busy = {name: total[name] - free.get(name, 0) for name in ("CPU", "GPU") if name in total}
            if all(used < self._others.get(name, 0) + 1e-6 for name, used in busy.items()):
                return
            if time.monotonic() > deadline:
                names = sorted({p.name() for p in psutil.process_iter(["name"]) if p.info["name"].startswith("ray::")})
                raise RuntimeError(f"a stage ended but still holds {busy} after {IDLE_TIMEOUT_S:.0f} s: {names}")
            time.sleep(0.1)

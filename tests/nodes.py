"""A main job on Ray nodes that come and go on this machine, what is killed of it, and what may not be left."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from slam_ray.cluster.local.head import LocalRay, local_node
from tests.faults.runs import SETTINGS, artifacts

ROOT = Path(__file__).parents[1]
# Besides what Ray keeps for all jobs of a cluster: idle workers, agents, detached actors of Data and Train.
KEPT = "IDLE", r"\w*Agent", "ActorLocationTracker", "_StatsActor", "_AutoscalingCoordinator", "TrainState"
AT_WORK = re.compile(rf"jobs/\w+\.py|ray::(?!{'|'.join(KEPT)})")


class Nodes(contextlib.ExitStack):
    """Nodes of one CPU each, that join a head and are removed; what is left of them goes with the block."""

    def __init__(self, head: LocalRay) -> None:
        super().__init__()
        self.head = head
        self._nodes: list[contextlib.ExitStack] = []

    def add(self) -> None:
        """Have a node join."""
        node = self.enter_context(contextlib.ExitStack())
        node.enter_context(local_node(self.head, 1, {}))
        self._nodes.append(node)

    def replace_one(self) -> None:
        """Kill all processes of the oldest node with -9; then another joins."""
        self._nodes.pop(0).close()
        self.add()


class Job:
    """A main job at work, and what it has said so far."""

    def __init__(self, cluster: LocalRay, storage: Path, *more: str) -> None:
        self.storage = storage
        self._log = storage.parent / f"{storage.name}-{time.monotonic_ns()}.log"
        command = [sys.executable, "-u", ROOT / "jobs" / "run_slam.py", "demo", "--storage", storage, *SETTINGS, *more]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*map(str, command)], stdout=log, stderr=log, env=os.environ | cluster.environment, cwd=storage.parent
            )

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._log.read_text()

    def until(self, reached: Callable[[Path], bool]) -> None:
        """Wait until it is there."""
        deadline = time.monotonic() + 240
        while not reached(artifacts(self.storage)):
            assert self._process.poll() is None, f"ended before it got there:\n{self.said}"
            assert time.monotonic() < deadline, f"never got there:\n{self.said}"
            time.sleep(0.01)

    def has_said(self, text: str, times: int = 1) -> None:
        """Wait until it has."""
        self.until(lambda _: self.said.count(text) >= times)

    def kill(self) -> None:
        """With -9."""
        self._process.kill()
        self._process.wait()

    def finish(self, code: int = 0) -> str:
        """What it said, once it has ended with this code."""
        assert self._process.wait(timeout=400) == code, self.said
        return self.said


def kill_one(kind: str, wait_s: float) -> bool:
    """Kill with -9 one process, below this one, that Ray runs an actor of this class in; False if none comes."""
    deadline = time.monotonic() + wait_s
    while True:
        for title, process in _below():
            if title.startswith("ray::") and kind in title:
                process.send_signal(signal.SIGKILL)
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)


def at_work() -> list[str]:
    """What the Rays below this process run for jobs."""
    return [title for title, _ in _below() if AT_WORK.search(title)]


def assert_nothing_left(head: LocalRay) -> None:
    """A job that has ended leaves no process at work and no placement group, or only for seconds."""
    deadline = time.monotonic() + 20
    while (left := [*at_work(), *_placement_groups(head)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == [], f"left: {left}"


def _below() -> list[tuple[str, psutil.Process]]:
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            found.append((" ".join(process.cmdline()).strip(), process))
    return found


def _placement_groups(head: LocalRay) -> list[str]:
    """Those that hold or want something; asked of the cluster without being a driver of it."""
    from ray._private.state import GlobalState
    from ray._raylet import GcsClientOptions

    state = GlobalState()
    options = GcsClientOptions.create(head.address, None, allow_cluster_id_nil=True, fetch_cluster_id_if_nil=False)
    state._initialize_global_state(options)
    try:
        groups = state.placement_group_table()
    finally:
        state.disconnect()
    return [f"placement group {name} {group}" for name, group in groups.items() if group["state"] != "REMOVED"]

"""The main job on several Ray nodes of this machine, what can be killed of it, and whether it comes to the same.

For the fault matrix (tests/full/test_faults.py), the kills of a single head (tests/ray/test_run_slam.py), and the soak.
"""

import contextlib
import json
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from slam_ray.pipeline.local_nodes import DRIVER
from slam_ray.pipeline.local_ray import LocalRay, local_node, local_ray

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ROOT = Path(__file__).parents[1]
LIMIT = 24
# Small steps, so that each can be met half done.
SETTINGS = [
    *("--limit", str(LIMIT), "--activations.token_budget", "512"),
    *("--training.batch_size", "8", "--execution.checkpoint_steps", "4"),
]
WAIT_S = 240.0
NODE_CPUS, NODES = 2, 2
# What of a job can be killed: what its process is called.
ACTOR, WORKER, ENGINE, CONTROLLER = "MapWorker(Map(CountingActor))", "RayTrainWorker", "ray::Engine", "TrainController"
OF_STEP = {"count": ACTOR, "train": WORKER, "generate": ENGINE}


def artifacts(storage: Path) -> Path:
    """Where the smoke run of `SETTINGS` keeps them."""
    return storage / f"limit-{LIMIT}" / "artifacts"


def artifact(storage: Path, step: str) -> Path:
    """Folder of the files of the only artifact of a step."""
    (record,) = (artifacts(storage) / step).glob("*/record.json")
    return record.parent / "attempts" / str(json.loads(record.read_text())["attempt"])


def in_count(folder: Path) -> bool:
    """Under `artifacts(storage)`: some units are counted."""
    return len([file for file in folder.glob("count/*/scratch/**/*") if file.is_file()]) >= 3


def in_train(folder: Path) -> bool:
    """There is a checkpoint, in the middle of an epoch."""
    return any(folder.glob("train/*/scratch/train/checkpoint*/progress.json"))


def in_generate(folder: Path) -> bool:
    """Some responses are there of a model whose generation is not finished."""
    return any(file.stat().st_size for scratch in folder.glob("generate/*/scratch") for file in scratch.glob("*.jsonl"))


GENERATED = ["generate", "score", "compare", "report"]
INSIDE = {"count": in_count, "train": in_train, "generate": in_generate}


def responses(storage: Path) -> list[tuple[str, str, str, str]]:
    """Fingerprint of the generation, language, id and response of every row."""
    import pyarrow.parquet as pq

    rows = []
    for record in sorted((artifacts(storage) / "generate").glob("*/record.json")):
        values = json.loads(record.read_text())
        file = record.parent / "attempts" / values["attempt"] / "responses.parquet"
        rows += [
            (values["fingerprint"], row["language"], row["id"], row["response"])
            for row in pq.read_table(file).to_pylist()
        ]
    return sorted(rows)


def averages(storage: Path) -> list[float]:
    """Average accuracy of the base and of the tuned model, in percent."""
    summary = json.loads((storage / f"limit-{LIMIT}" / "runs" / "demo" / "summary.json").read_text())
    return [float(np.mean(list(summary["accuracy"][when].values()))) for when in ("before", "after")]


def assert_same(storage: Path, reference: Path, accuracy: float) -> None:
    """Counts and selection to the bit, the rows of responses exactly, the rest as close as undisturbed runs are.

    Args:
        accuracy: points by which the averages may differ.
    """
    import torch
    from safetensors.torch import load_file

    counts, others = (np.load(artifact(each, "count") / "counts.npz") for each in (reference, storage))
    assert all(np.array_equal(counts[name], others[name]) for name in ("languages", "activated", "tokens"))
    selection, other = ((artifact(each, "select") / "selection.json").read_text() for each in (reference, storage))
    assert selection == other
    tuned, retuned = (load_file(artifact(each, "train") / "trained.safetensors") for each in (reference, storage))
    assert tuned.keys() == retuned.keys()
    for name, weight in tuned.items():
        # They are stored in bfloat16, which has eight bits of precision.
        torch.testing.assert_close(weight, retuned[name], rtol=1e-2, atol=1e-4)
    rows, remade = responses(reference), responses(storage)
    assert [row[:3] for row in rows] == [row[:3] for row in remade]
    equal = sum(one == other for one, other in zip(rows, remade, strict=True))
    assert equal >= 0.95 * len(rows), "greedy answers may differ in rounding only"
    assert np.abs(np.subtract(averages(reference), averages(storage))).max() <= accuracy + 1e-6


def wait_until(reached: Callable[[], Any], ended: Callable[[], bool] = lambda: False) -> None:
    """Look often, so that a moment is met; fails when it does not come, or what would bring it has ended."""
    deadline = time.monotonic() + WAIT_S
    while not reached():
        assert not ended(), "ended before that"
        assert time.monotonic() < deadline, "never got there"
        time.sleep(0.02)


@dataclass
class Cluster:
    """A head without CPUs, a driver node, and nodes that work, as cluster/local_nodes.sh starts them."""

    head: LocalRay
    client: "JobSubmissionClient"
    stack: contextlib.ExitStack
    jobs: list["Job"] = field(default_factory=list)

    def add_node(self) -> None:
        """One more node that works."""
        self.stack.enter_context(local_node(self.head, NODE_CPUS, {}))

    def submit(self, storage: Path, *more: str) -> "Job":
        """The main job on the driver node, as a user submits it."""
        command = [sys.executable, str(ROOT / "jobs" / "run_slam.py"), "demo", "--storage", str(storage)]
        number = self.client.submit_job(
            entrypoint=shlex.join([*command, *SETTINGS, *more]), entrypoint_resources=dict(DRIVER)
        )
        self.jobs.append(Job(self.client, number, storage))
        return self.jobs[-1]


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Yield one; it ends with the block, and with it all its processes."""
    from ray.job_submission import JobSubmissionClient

    with contextlib.ExitStack() as stack:
        head = stack.enter_context(local_ray(cpus=0))
        stack.enter_context(
            local_node(head, 0, {name: 2 * each for name, each in DRIVER.items()})
        )  # for two drivers at once
        found = Cluster(head, JobSubmissionClient(head.dashboard), stack)
        for _ in range(NODES):
            found.add_node()
        yield found


@dataclass(frozen=True)
class Job:
    """A submitted job that works in a storage."""

    client: "JobSubmissionClient"
    number: str
    storage: Path

    def ended(self) -> bool:
        """In whatever way."""
        return bool(self.client.get_job_status(self.number).is_terminal())

    def finish(self, code: int | None = 0) -> str:
        """Its output, once it has ended with that exit code (None: killed)."""
        wait_until(self.ended)
        output = str(self.client.get_job_logs(self.number))
        found = self.client.get_job_info(self.number).driver_exit_code
        assert found == code or (code is None and found not in (0, 2)), output
        return output

    def reaches(self, step: str) -> None:
        """Wait until it is in the middle of a step."""
        last = [0.0]

        def ended() -> bool:
            """Asked seldom: the dashboard has one core to share."""
            if time.monotonic() < last[0] + 2:
                return False
            last[0] = time.monotonic()
            return self.ended()

        wait_until(lambda: INSIDE[step](artifacts(self.storage)), ended)

    def driver(self) -> psutil.Process:
        """The process of the job itself."""
        (driver,) = (each for each in processes(str(self.storage)) if "run_slam.py" in each.cmdline()[1])
        return driver


def processes(name: str) -> list[psutil.Process]:
    """Those below this one that are called so."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess, IndexError):
            if name in " ".join(each.cmdline()):
                found.append(each)
    return found


def kill(process: psutil.Process) -> None:
    """Kill it with -9."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)


def kill_node(step: str) -> None:
    """Kill, all at once, all processes of a node that works on a step."""
    node = next(each for each in processes(OF_STEP[step])[0].parents() if "node.py" in " ".join(each.cmdline()))
    for each in [node, *node.children(recursive=True)]:
        kill(each)


def took(storage: Path, step: str) -> float:
    """Seconds from the first attempt at a step to its commit."""
    records = list((artifacts(storage) / step).glob("*/record.json"))
    first = min(attempt.name[:15] for record in records for attempt in (record.parent / "attempts").iterdir())
    return max(record.stat().st_mtime for record in records) - time.mktime(time.strptime(first, "%Y%m%d-%H%M%S"))


def undisturbed_difference(cluster: Cluster, undisturbed: Path, folder: Path) -> float:
    """Points by which the averages of two undisturbed generations may differ: those by which they do, and a problem."""
    copy(undisturbed, folder, GENERATED)
    cluster.submit(folder).finish()
    one, other = averages(undisturbed), averages(folder)
    return float(np.abs(np.subtract(one, other)).max()) + 100 / (10 * LIMIT)


def copy(reference: Path, storage: Path, without: Sequence[str]) -> None:
    """A finished storage without the artifacts of some steps, and its run without its summary."""
    shutil.copytree(reference, storage, symlinks=True, ignore=shutil.ignore_patterns("*.lock"))
    for step in without:
        shutil.rmtree(artifacts(storage) / step)


def left_over() -> list[str]:
    """Processes of jobs that there still are, and placement groups, though no job runs."""
    from ray.util.state import list_placement_groups

    groups = [
        f"placement group {each.placement_group_id}" for each in list_placement_groups() if each.state != "REMOVED"
    ]
    names = [*OF_STEP.values(), CONTROLLER, "run_slam.py", "JobSupervisor"]
    return groups + [" ".join(each.cmdline()) for name in names for each in processes(name)]

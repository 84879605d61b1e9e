"""Faults in a run on several Ray nodes: each costs time, and the run comes to what an undisturbed one does.

With `--fault-table FILE` what was seen is written as the table of docs/faults.md.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import faults
from tests.faults import Cluster, artifact, artifacts, copy, took

pytestmark = pytest.mark.timeout(600)
# What is made again after a fault in a step: it, and what is compared at the end. What rests on a step has the same
# identity after it was made again, and so is found.
AGAIN = {"count": ["count", "select"], "train": ["train"], "generate": faults.GENERATED}


@dataclass
class Table:
    """What was seen, a line a fault."""

    lines: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, fault: str, step: str, result: str, seconds: float | None = None) -> None:
        lost = "" if seconds is None else f"{max(0.0, seconds):.0f} s"
        self.lines.append(f"| {fault} | {step} | {result} | {lost} |")


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    table = Table()
    yield table
    file: str | None = request.config.getoption("--fault-table")
    if file is not None:
        head = ["| fault | in | result | time lost |", "|---|---|---|---|"]
        Path(file).write_text("\n".join([*head, *table.lines]) + "\n")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with faults.cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster, table: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of a run that nothing happened to."""
    storage = tmp_path_factory.mktemp("undisturbed")
    cluster.submit(storage).finish()
    table.seconds = {step: took(storage, step) for step in AGAIN}
    return storage


@pytest.fixture(scope="module")
def accuracy(cluster: Cluster, undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    return faults.undisturbed_difference(cluster, undisturbed, tmp_path_factory.mktemp("other") / "storage")


KILLS = [
    ("kill -9 of a counting actor", "count"),
    ("kill -9 of a training worker", "train"),
    ("kill -9 of Ray Train's controller", "train"),
    ("kill -9 of an engine", "generate"),
    *(("kill -9 of the driver, and the command again", step) for step in AGAIN),
    *(("a node is lost, another joins", step) for step in AGAIN),
]


@pytest.mark.parametrize(("fault", "step"), KILLS)
def test_a_kill_costs_nothing_but_time(
    cluster: Cluster, undisturbed: Path, accuracy: float, table: Table, tmp_path: Path, fault: str, step: str
) -> None:
    storage = tmp_path / "storage"
    copy(undisturbed, storage, AGAIN[step])
    job = cluster.submit(storage)
    job.reaches(step)
    finished = len(list((artifacts(storage) / step).glob("*/record.json")))
    if "driver" in fault:
        faults.kill(job.driver())
    elif "node" in fault:
        faults.kill_node(step)
    else:
        faults.kill(faults.processes(faults.CONTROLLER if "controller" in fault else faults.OF_STEP[step])[0])
    assert len(list((artifacts(storage) / step).glob("*/record.json"))) == finished, "killed after its work"
    if "driver" in fault:
        job.finish(None)
        job = cluster.submit(storage)
    elif "node" in fault:
        cluster.add_node()
    output = job.finish()
    if step == "train":
        assert "going on after step" in output
    faults.assert_same(storage, undisturbed, accuracy)
    table.add(fault, step, "the same", took(storage, step) - table.seconds[step])


def test_a_training_goes_on_with_another_number_of_workers(
    cluster: Cluster, undisturbed: Path, accuracy: float, table: Table, tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    copy(undisturbed, storage, AGAIN["train"])
    job = cluster.submit(storage, "--execution.training_workers", "1")
    job.reaches("train")
    faults.kill(job.driver())
    job.finish(None)
    output = cluster.submit(storage, "--execution.training_workers", "3").finish()
    assert "going on after step" in output
    faults.assert_same(storage, undisturbed, accuracy)
    table.add("kill -9 of the driver with 1 worker, and the command again with 3", "train", "the same",
              took(storage, "train") - table.seconds["train"])  # fmt: skip


def test_two_drivers_at_once_make_each_step_once(
    cluster: Cluster, undisturbed: Path, accuracy: float, table: Table, tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    copy(undisturbed, storage, [*AGAIN["count"], *AGAIN["generate"]])
    outputs = [job.finish() for job in [cluster.submit(storage), cluster.submit(storage)]]
    assert any("another run is at work on it; waiting for that" in output for output in outputs)
    for step in ("count", "generate"):
        for home in (artifacts(storage) / step).glob("*/"):
            if home.is_dir():
                assert len(list((home / "attempts").iterdir())) == 1, "made twice"
    faults.assert_same(storage, undisturbed, accuracy)
    table.add("two drivers at once on one storage", "count, generate", "the same; each step made once")


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_artifact_is_made_again_and_kept_aside(
    cluster: Cluster, undisturbed: Path, accuracy: float, table: Table, tmp_path: Path, damage: str
) -> None:
    storage = tmp_path / "storage"
    copy(undisturbed, storage, ["select"])
    file = artifact(storage, "count") / "counts.npz"
    content = file.read_bytes()
    damaged = content[:-100] if damage == "truncated" else content[:-100] + bytes(100)
    file.write_bytes(damaged)
    output = cluster.submit(storage).finish()
    assert f"{file.name} was altered; kept aside in " in output
    (aside,) = (artifacts(storage) / "count").glob("*.damaged-*")
    assert (aside / file.relative_to(file.parents[2])).read_bytes() == damaged
    faults.assert_same(storage, undisturbed, accuracy)
    table.add(f"an artifact's file is {damage}", "count", "found, kept aside, made again: the same")


def test_a_training_that_diverges_keeps_the_last_good_checkpoint(
    cluster: Cluster, undisturbed: Path, table: Table, tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    copy(undisturbed, storage, [])
    shutil.rmtree(storage / f"limit-{faults.LIMIT}" / "runs")
    more = ["--training.learning_rate", "3e7", "--execution.checkpoint_steps", "1"]
    output = cluster.submit(storage, *more).finish(2)
    error = output[output.index("error: training diverged") :].strip()
    found = re.fullmatch(
        r"error: training diverged at step (\d+) \(batch \d+ of 27 in epoch 1,"
        r" pairs '.*' \(.., \w+\), '.* and 5 more\):"
        r" the loss is (nan|inf); try a smaller training.learning_rate than 3e\+07;"
        r" the checkpoint after step (\d+) is kept, in (\S+)",
        error,
    )
    assert found, error
    (checkpoint,) = Path(found[4]).glob("train/checkpoint_*")
    kept = json.loads((checkpoint / "progress.json").read_text())
    assert kept["step"] == int(found[3]) == int(found[1]) - 2, "the weights that gave the loss are no good ones"
    table.add("a loss becomes NaN", "train", "stops, names step and batch; the last good checkpoint is kept")


def test_a_full_disk_is_said_and_nothing_is_lost(
    cluster: Cluster, undisturbed: Path, accuracy: float, table: Table, tmp_path: Path
) -> None:
    storage = tmp_path / "disk"
    storage.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "none", storage], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.decode()}")
    try:
        copy(undisturbed, storage / "storage", [*AGAIN["count"], *AGAIN["train"], *AGAIN["generate"]])
        storage /= "storage"
        filler = storage.parent / "filler"
        for step in AGAIN:
            job = cluster.submit(storage)
            job.reaches(step)
            fill(filler)
            output = job.finish(2)
            said = [line for line in output.splitlines() if line.startswith("error: ")]
            assert len(said) == 1, output
            assert said[0].startswith(f"error: no space is left in {storage}"), output
            assert "Traceback" not in output
            filler.unlink()
            table.add("a full disk, and the command again once there is room", step, "one error; goes on: the same")
        cluster.submit(storage).finish()
        faults.assert_same(storage, undisturbed, accuracy)
    finally:
        subprocess.run(["umount", "--lazy", tmp_path / "disk"], check=True)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as stream:
        size = 2**20
        while size:
            try:
                stream.write(bytes(size))
            except OSError:
                size //= 2


def test_nothing_is_left_of_all_that(cluster: Cluster, undisturbed: Path) -> None:
    faults.wait_until(lambda: not faults.left_over())

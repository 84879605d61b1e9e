"""What a run on several nodes survives, one fault after the other, and that it comes to what an undisturbed one does.

Killed processes are in tests/full/test_killed_processes.py, which the gate runs as well.
"""

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.runs import (
    SETTINGS,
    FaultTable,
    artifact,
    artifacts,
    assert_same,
    in_count,
    in_generate,
    in_train,
    records,
)
from tests.meanwhile import meanwhile
from tests.nodes import ROOT, Job, Nodes

pytestmark = pytest.mark.timeout(900)

UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]
STEP = "train: going on after step"


@pytest.fixture
def copy(undisturbed: Path, tmp_path: Path) -> Path:
    """Of the undisturbed storage, to be damaged."""
    return Path(shutil.copytree(undisturbed, tmp_path / "storage"))


def without(storage: Path, *steps: str) -> None:
    """Remove all artifacts of these steps, and the run that names them."""
    for step in steps:
        shutil.rmtree(artifacts(storage) / step)
    shutil.rmtree(storage / "limit-24" / "runs")


def test_two_drivers_at_once_make_each_step_once(
    nodes: Nodes, undisturbed: Path, tmp_path: Path, table: FaultTable
) -> None:
    storage = tmp_path / "storage"
    jobs = [Job(nodes.head, storage) for _ in range(2)]
    said = [job.finish() for job in jobs]
    assert len(list(artifacts(storage).glob("*/*/attempts/*"))) == len(list(artifacts(storage).glob("*/*/record.json")))
    assert all("report: " in each for each in said)
    waited = sum(each.count("another run is at work on it") for each in said)
    assert waited
    outcome = assert_same(storage, undisturbed)
    table.add("two drivers at once on a storage", "all", f"each step made once, {waited} waited for", outcome)


def test_removed_nodes_are_replaced(nodes: Nodes, tmp_path: Path, undisturbed: Path, table: FaultTable) -> None:
    job = Job(nodes.head, tmp_path / "storage")
    job.until(in_count)
    nodes.replace_one()
    job.until(in_train)
    nodes.replace_one()
    job.has_said(STEP)
    job.until(in_generate)
    nodes.replace_one()
    said = job.finish()
    # It may have been starting still; and Ray may have started another on the node that is gone.
    lost = re.findall(r"engine in process \d+ lost, its (\d+) rows are asked again", said)
    assert lost
    asked_again = sum(map(int, lost))
    outcome = assert_same(job.storage, undisturbed)
    table.add("node removed, another joins", "count", "its unit is counted again on another", outcome)
    after = re.findall(rf"{STEP} (\d+)", said)[-1]
    table.add("node removed, another joins", "train", f"all start again after step {after}", outcome)
    table.add("node removed, another joins", "generate", f"its {asked_again} rows are asked again", outcome)


def test_a_killed_driver_goes_on_with_another_number_of_workers(
    nodes: Nodes, tmp_path: Path, undisturbed: Path, table: FaultTable
) -> None:
    storage, stood = tmp_path / "storage", dict[Path, bytes]()
    for point, more in (
        (in_count, []),
        (in_train, ["--execution.counting_actors", "1"]),
        (in_generate, ["--execution.training_workers", "1"]),
    ):
        job = Job(nodes.head, storage, *more)
        job.until(point)
        job.kill()
        finished = {record: record.read_bytes() for record in artifacts(storage).glob("*/*/record.json")}
        assert finished.keys() > stood.keys(), f"nothing new was finished before {point.__name__}"
        assert stood.items() <= finished.items(), "a finished step was redone"
        stood = finished
    last = job.said
    assert "count: done before" in last
    after = re.findall(rf"{STEP} (\d+)", last)[-1]
    kept = sum(file.read_text().count("\n") for file in artifacts(storage).glob("generate/*/scratch/*.jsonl"))
    Job(nodes.head, storage, "--execution.engines", "1").finish()
    outcome = assert_same(storage, undisturbed)
    table.add("driver killed with -9, goes on with 1 actor", "count", "counted units are kept", outcome)
    table.add("driver killed with -9, goes on with 1 worker", "train", f"goes on after step {after}", outcome)
    table.add(
        "driver killed with -9, goes on with 1 engine",
        "generate",
        f"{kept} responses are kept",
        outcome,
    )


def test_a_driver_killed_in_its_own_steps_goes_on(
    nodes: Nodes, copy: Path, undisturbed: Path, table: FaultTable
) -> None:
    steps = [each.name for each in sorted(artifacts(copy).iterdir())]
    own = [step for step in steps if step not in ("count", "train", "generate")]
    assert {"questions", "pairs", "select", "score", "compare", "report"} <= set(own)
    without(copy, *own)
    for step in own:
        job = Job(nodes.head, copy)
        job.until(lambda folder, step=step: any(folder.glob(f"{step}/*/attempts/*")))  # type: ignore[misc]
        job.kill()
    said = Job(nodes.head, copy).finish()
    assert "count: done before" in said
    table.add("driver killed with -9", ", ".join(own), "what stands is kept", assert_same(copy, undisturbed))


def test_damaged_artifacts_are_made_again(nodes: Nodes, copy: Path, undisturbed: Path, table: FaultTable) -> None:
    counts = artifact(copy, "count") / "counts.npz"
    counts.write_bytes(counts.read_bytes()[:1000])
    tensors = artifact(copy, "train") / "trained.safetensors"
    content = bytearray(tensors.read_bytes())
    content[-1] ^= 1
    tensors.write_bytes(content)
    first = records(copy, "generate")[0].parent
    next(first.glob("attempts/*/responses.parquet")).unlink()
    said = Job(nodes.head, copy).finish()
    assert "counts.npz was altered; kept aside in" in said
    assert "trained.safetensors was altered; kept aside in" in said
    assert "responses.parquet is gone; kept aside in" in said
    aside = [folder.parent.name for folder in artifacts(copy).glob("*/*.damaged-*")]
    assert sorted(aside) == ["count", "generate", "train"]
    assert "select: done before" in said
    outcome = assert_same(copy, undisturbed)
    for fault, step in (
        ("file truncated", "count"),
        ("one bit of a file altered", "train"),
        ("file removed", "generate"),
    ):
        table.add(f"artifact: {fault}", step, "found and made again, the old one kept aside", outcome)


def test_a_loss_that_is_no_number_stops(nodes: Nodes, copy: Path, table: FaultTable) -> None:
    without(copy, "train")
    ruinous = ["--training.learning_rate", "1e17", "--execution.checkpoint_steps", "1"]
    said = Job(nodes.head, copy, *ruinous).finish(code=2)
    (error,) = re.findall(r"^error: .*", said, re.MULTILINE)
    found = re.search(
        r"training diverged at (step \d+ \(batch \d+ of \d+ in epoch 1), pairs .*\): the (loss|gradient norm) is"
        r" (nan|inf);.*; the checkpoint after step (\d+) is kept, in (.*)",
        error,
    )
    assert found, error
    assert list(Path(found[5]).glob("train/checkpoint_*/tensors.safetensors"))
    what = f"stops with exit code 2, names {found[1]}), keeps the checkpoint after step {found[4]}"
    table.add(f"{found[2]} is {found[3]}", "train", what, None)


def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_room(
    tmp_path: Path, undisturbed: Path, table: FaultTable
) -> None:
    if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no mount namespace in which a small disk could be mounted")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = f'mount -t tmpfs -o size=200m none "{disk}" && exec "$@"'
    nodes = [str(ROOT / "cluster" / "local_nodes.sh"), "--workers", "2", "--", "bash"]
    shell = subprocess.Popen(
        [*UNSHARE, "sh", "-c", mounted, "sh", *nodes], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert shell.stdin is not None
    assert shell.stdout is not None
    there = Path(f"/proc/{shell.pid}/root{disk}")  # the disk as it is seen from here
    job = " ".join([sys.executable, str(ROOT / "jobs" / "run_slam.py"), "demo", f"--storage={disk}/storage", *SETTINGS])
    log = tmp_path / "log"

    def start() -> None:
        shell.stdin.write(f"{job} > {log} 2>&1; echo code $?\n")  # type: ignore[union-attr]
        shell.stdin.flush()  # type: ignore[union-attr]

    def code() -> int:
        return int(shell.stdout.readline().removeprefix("code "))  # type: ignore[union-attr]

    try:
        for point in (in_count, in_train, in_generate):
            start()
            deadline = time.monotonic() + 240
            while not point(artifacts(there / "storage")):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.01)
            with kept_full(there):
                assert code() == 2, log.read_text()
            said = log.read_text()
            assert said.splitlines()[-1].startswith(f"error: no space is left in {disk}/storage")
            assert not re.search(r"Traceback|\*\*\*|ERROR", said), said
        start()
        assert code() == 0, log.read_text()
        assert "count: done before" in log.read_text()
        outcome = assert_same(there / "storage", undisturbed)
        for step in ("count", "train", "generate"):
            table.add("disk full", step, "stops with exit code 2; goes on once there is room", outcome)
    finally:
        shell.stdin.close()
        shell.wait(timeout=60)


@contextlib.contextmanager
def kept_full(disk: Path) -> Iterator[None]:
    """Until the end of the block whatever is freed on the disk is taken at once, as by others who use it too."""
    with tempfile.TemporaryFile(dir=disk, buffering=0) as stream:

        def fill() -> None:
            with contextlib.suppress(OSError):
                while True:
                    stream.write(bytes(65536))

        with meanwhile(fill, every_s=0.01):
            yield

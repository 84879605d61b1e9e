"""Demo runs under kills for half an hour: `make soak`, or `python -m tests.soak --minutes 3 --seed 7`.

Each run starts in a fresh storage on one cluster of several Ray nodes, and one to three times something of it is killed
with -9 at a random moment: a process of the step's engine, the Train controller, the driver (then the same command is
given again), or a whole node (then another joins). It must come to what the undisturbed run came to, and leave nothing.
"""

import argparse
import contextlib
import os
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests import faults
from tests.faults import CONTROLLER, OF_STEP, Cluster, Job, artifacts, processes, took

# By the number of kills in a run: in which steps, None for any.
STEPS: dict[int, tuple[str | None, ...]] = {1: (None,), 2: ("train", "generate"), 3: ("count", "train", "generate")}
SHARED_MEMORY = Path("/dev/shm")
SETTLE_S = 60.0


def main(argv: Sequence[str]) -> int:
    """Soak for so long, and print what came of it; raises AssertionError at the first run that differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="no run starts later [%(default)s]")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the kills [by chance]")
    given = parser.parse_args(argv)
    # What any process here writes into the folder for temporary files is then seen.
    root = Path(tempfile.mkdtemp(prefix="soak-"))
    own = root / "t"
    own.mkdir()
    os.environ["TMPDIR"], tempfile.tempdir = str(own), None
    shared = set(SHARED_MEMORY.iterdir())
    before = {each.pid for each in psutil.Process().children(recursive=True)}
    print(f"seed {given.seed}, {given.minutes:g} minutes", flush=True)
    try:
        with faults.cluster() as cluster:
            soak(cluster, root, given.minutes * 60, random.Random(given.seed), shared)
        left = [str(file) for file in [*own.iterdir(), *(set(SHARED_MEMORY.iterdir()) - shared)]]
        left += [str(each) for each in psutil.Process().children(recursive=True) if each.pid not in before]
        assert not left, f"left when the cluster had ended: {left}"
        print("nothing is left of the cluster: no process, temporary file or shared memory", flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 0


def soak(cluster: Cluster, root: Path, seconds: float, chance: random.Random, shared: set[Path]) -> None:
    """Run after run, each compared with the undisturbed one."""
    end = time.monotonic() + seconds
    reference = root / "undisturbed"
    cluster.submit(reference).finish()
    lengths = {step: took(reference, step) for step in OF_STEP}
    accuracy = faults.undisturbed_difference(cluster, reference, root / "again")
    clean(cluster, root, shared)
    killed = dict.fromkeys(OF_STEP, 0)
    runs = 0
    while time.monotonic() < end:
        runs += 1
        storage, started = root / f"run-{runs}", time.monotonic()
        said = disturbed(cluster, storage, lengths, chance, killed)
        faults.assert_same(storage, reference, accuracy)
        clean(cluster, root, shared)
        shutil.rmtree(storage)
        print(f"run {runs}: {'; '.join(said)}: the same, in {time.monotonic() - started:.0f} s", flush=True)
    kills = ", ".join(f"{number} in {step}" for step, number in killed.items())
    print(f"{runs} runs, {sum(killed.values())} kills ({kills}): every run came to the same", flush=True)
    if seconds >= 600:
        assert min(killed["train"], killed["generate"]), "no kill in train, or none in generate"


def disturbed(
    cluster: Cluster, storage: Path, lengths: dict[str, float], chance: random.Random, killed: dict[str, int]
) -> list[str]:
    """One run with its kills; what was killed, and when."""
    kills = []
    for given in STEPS[chance.randint(1, 3)]:
        step = given or chance.choice(list(OF_STEP))
        victims = [OF_STEP[step], "driver", "node", *([CONTROLLER] if step == "train" else [])]
        kills.append((step, chance.choice(victims), chance.uniform(0, lengths[step])))
    job = cluster.submit(storage)
    said = []
    for step, victim, delay in kills:
        moment = kill_at(job, step, victim, delay)
        if moment is None:
            said.append(f"{victim} in {step}: came too late")
            continue
        killed[step] += 1
        said.append(f"{victim} in {step} after {moment:.0f} s")
        if victim == "driver":
            job.finish(None)
            job = cluster.submit(storage)
        elif victim == "node":
            cluster.add_node()
    job.finish()
    return said


def kill_at(job: Job, step: str, victim: str, delay: float) -> float | None:
    """Kill so many seconds after the step began, or as soon as there is such a process; None if it ended before."""
    folder = artifacts(job.storage) / step
    faults.wait_until(lambda: any(folder.glob("*/attempts/*")))
    began = time.monotonic()
    records = 2 if step == "generate" else 1
    while len(list(folder.glob("*/record.json"))) < records:
        if time.monotonic() - began >= delay:
            with contextlib.suppress(psutil.NoSuchProcess, StopIteration, ValueError, IndexError):
                if victim == "driver":
                    faults.kill(job.driver())
                elif victim == "node":
                    faults.kill_node(step)
                else:
                    faults.kill(processes(victim)[0])
                return time.monotonic() - began
        assert not job.ended(), job.finish()
        time.sleep(0.1)
    return None


def clean(cluster: Cluster, root: Path, shared: set[Path]) -> None:
    """Nothing of a run is left: no process or placement group, no file outside the nodes' own folders."""
    deadline = time.monotonic() + SETTLE_S
    while left := faults.left_over():
        assert time.monotonic() < deadline, f"left of a run: {left}"
        time.sleep(1)
    folders = {each.name for each in (root / "t").iterdir()}
    foreign = {name for name in folders if not name.startswith("slam-ray-")}
    assert not foreign, f"temporary files are left of a run: {foreign}"
    nodes = len(processes("pipeline/node.py")) // 2 + 1  # each under its guard, and the head
    assert len(folders) == nodes, f"{len(folders)} folders of {nodes} nodes"
    assert not set(SHARED_MEMORY.iterdir()) - shared, "shared memory is left of a run"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Main jobs that are killed at random, for half an hour: `make soak`, or with a seed `python -m tests.soak --seed 7`.

Each run of the embedded default meets one to three kills with -9, at random moments of random steps, of whatever works
there: a worker of the step, Ray Train's controller, the driver, or a whole node. It has to come to what an undisturbed
run does, and nothing may be left of it: no process, no placement group, no temporary file, no shared memory.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from slam_ray.cluster.local.head import local_ray
from tests.faults.runs import artifacts, assert_same, processor, put_between
from tests.nodes import Job, Nodes, assert_nothing_left, kill_one

# Title of a stage -> what works there, by class; the driver and the nodes do in all.
VICTIMS = {
    "count": ["CountingActor"],
    "train": ["RayTrainWorker", "TrainController"],
    "generate base demo": ["Engine"],
    "generate tuned demo": ["Engine"],
}
STAGES = list(VICTIMS)
WAITING = "--execution.node_wait_s", "120"  # a node that was killed is replaced, in a while


def seconds(storage: Path) -> dict[str, float]:
    """How long each stage of an undisturbed run took."""
    return dict(json.loads((storage / "limit-24" / "runs" / "demo" / "summary.json").read_text())["seconds"])


def disturbed(nodes: Nodes, storage: Path, dice: random.Random, lengths: dict[str, float], first: str) -> list[str]:
    """A run to its end under kills, one of them in the stage `first`; says what was killed in which stage."""
    others = [stage for stage in STAGES if stage != first]
    job, done = Job(nodes.head, storage, *WAITING), []
    for stage in sorted([first, *dice.sample(others, dice.randint(0, 2))], key=STAGES.index):
        victim, delay = dice.choice([*VICTIMS[stage], "driver", "node"]), dice.uniform(0, lengths[stage])
        job.has_said(f"{stage}: ")
        start = time.monotonic()
        over = re.compile(f"^{stage}: (made in|done before)", re.MULTILINE)
        wait(job, start + delay, over)
        killed = victim in ("driver", "node")
        if victim == "driver":
            job.kill()
            job = Job(nodes.head, storage, *WAITING)
        elif victim == "node":
            nodes.replace_one()
        while not (killed or over.search(job.said)):
            killed = kill_one(victim, wait_s=1)  # it may not have started yet
        if killed:
            done.append(f"{victim} in {stage}")
            print(f"  killed {done[-1]}, {time.monotonic() - start:.1f} s after its start", flush=True)
    job.finish()
    return done


def wait(job: Job, due: float, over: re.Pattern[str]) -> None:
    """Until the moment `due`, or until the stage is over."""
    job.until(lambda _: time.monotonic() > due or bool(over.search(job.said)))


def main(argv: Sequence[str]) -> int:
    """Soak; prints what was killed and what came of it."""
    parser = argparse.ArgumentParser("make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the result between the marks of this page")
    given = parser.parse_args(argv)
    print(f"seed {given.seed}", flush=True)
    dice, kills = random.Random(given.seed), Counter[str]()
    runs, points = 0, 0.0
    before = left_on_machine()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as name, local_ray(cpus=0) as head, Nodes(head) as nodes:
        folder = Path(name)
        nodes.add()
        nodes.add()
        reference = folder / "undisturbed"
        Job(head, reference).finish()
        lengths = {stage: seconds(reference)[stage] for stage in STAGES}
        begun = time.monotonic()
        while time.monotonic() < begun + 60 * given.minutes:
            # In turn, so that each stage is met in a soak of any length.
            first = STAGES[(1 + runs) % len(STAGES)]
            runs += 1
            print(f"run {runs}", flush=True)
            storage = folder / f"run-{runs}"
            kills.update(disturbed(nodes, storage, dice, lengths, first))
            outcome = assert_same(storage, reference, accuracy=100 / 240)
            points = max(points, outcome.points)
            assert_nothing_left(head)
            leavings = [file.name for file in artifacts(storage).rglob("*") if file.name in ("scratch", "tmp")]
            assert not leavings, leavings
    assert left_on_machine() <= before, left_on_machine() - before
    assert any("train" in kill for kill in kills), "none met a training; try another seed"
    assert any("generate" in kill for kill in kills), "none met an evaluation; try another seed"
    minutes = (time.monotonic() - start) / 60
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {processor()}, seed {given.seed}: {runs} runs and {kills.total()} kills in"
        f" {minutes:.0f} minutes.",
        f"Every run ended with the counts, the selection and the rows of the undisturbed one, accuracies within"
        f" {points:.2f} points; no process, placement group, temporary file or shared memory was left.",
        "",
        "| killed | times |\n|---|---|",
        *(f"| {what} | {times} |" for what, times in sorted(kills.items())),
    ]
    print("\n" + "\n".join(lines))
    if given.write is not None:
        put_between(given.write, "soak", "\n".join(lines) + "\n")
    return 0


def left_on_machine() -> set[Path]:
    """Temporary files and shared memory that a Ray, a run or an engine would leave."""
    temporary = Path(tempfile.gettempdir())
    return {
        *temporary.glob("slam-ray-*"),
        *temporary.glob("ray*"),
        *temporary.glob("soak-*"),
        *Path("/dev/shm").iterdir(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

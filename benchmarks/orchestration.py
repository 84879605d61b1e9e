"""What does the orchestration of a run cost? `python -m benchmarks.orchestration`.

Ours is the wall time of `make demo`'s command, with an empty storage; the peer is the sum of what the run's records say
that its steps took. Process starts count on neither side. Of the wall time these are the start of Ray and that of the
job, which the command's lines tell: from Ray's start being the next thing to do to the job's first line. And of both
sides they are the starts of workers, which are what the same steps take in a smoke run on one question, pair and
problem of each language (`--limit 1`), whose work is next to nothing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measurement import Figures, Side, compared, figures, finish, watched
from slam_ray.config.load import STORAGE_VARIABLE

ROOT = Path(__file__).parents[1]
AT_MOST = 1.25
RAY_IS_UP = "Ray dashboard:"  # the line before the job is submitted
WITH_WORKERS = ("count", "train", "generate")  # steps that start processes
# A smoke run's few counts select no layers.
SMOKE = ("--limit", "1", "--selection.layers", "[0, 1]")


@dataclass(frozen=True)
class Run:
    """A finished run of the demo.

    Attributes:
        wall: seconds of the command.
        starts: of these, seconds in which Ray and the job were started.
        steps: seconds of each step, by its label.
        with_workers: labels of the steps that start processes of their own.
        peak_memory: bytes of all its processes at once.
    """

    wall: float
    starts: float
    steps: dict[str, float]
    with_workers: frozenset[str]
    peak_memory: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1, help="runs of the demo, minutes each")
    parser.add_argument("--keep", action="store_true", help="keep the figures in benchmarks/baselines")
    arguments = parser.parse_args()
    finish(measure(arguments), arguments.keep)


def measure(arguments: argparse.Namespace) -> Figures:
    """All repeats: a run of the demo and a smoke run of it, one after the other."""
    found = [net(run_demo(), run_demo(*SMOKE)) for _ in range(arguments.repeats)]
    walls, sums, held = zip(*found, strict=True)
    ours = Side(
        name="wall time", repeats=walls, median=statistics.median(walls), peak_memory_gib=round(max(held) / 2**30, 2)
    )
    peer = Side(name="sum of the steps", repeats=sums, median=statistics.median(sums))
    return figures("orchestration", "s", "the demo", (compared(ours, peer, at_most=AT_MOST),))


def net(run: Run, smoke: Run) -> tuple[float, float, int]:
    """Wall time of a run and sum of its steps, both without process starts; and its peak of memory."""
    workers = sum(smoke.steps[label] for label in run.with_workers)
    wall, steps = run.wall - run.starts - workers, sum(run.steps.values()) - workers
    print(
        f"wall time {run.wall:.1f} s, of which {run.starts:.1f} s to start Ray and the job and {workers:.1f} s to start"
        f" workers: {wall:.1f} s; the steps without the latter: {steps:.1f} s",
        flush=True,
    )
    return round(wall, 2), round(steps, 2), run.peak_memory


def run_demo(*options: str) -> Run:
    """The demo through `slam-ray submit-local`, in a storage of its own."""
    start = "import sys; from slam_ray.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "submit-local", "--", "python", "jobs/run_slam.py", "demo"]
    with tempfile.TemporaryDirectory() as folder:
        # A Ray of its own, as from a plain shell.
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        with watched() as seen:
            began = time.monotonic()
            process = subprocess.Popen(
                [*command, *options],
                cwd=ROOT,
                env=plain | {STORAGE_VARIABLE: folder},
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            lines = [(time.monotonic(), line) for line in process.stdout]
            code = process.wait()
            wall = time.monotonic() - began
        log = "".join(line for _, line in lines)
        assert code == 0, log
        print(log, flush=True)
        (links,) = Path(folder).rglob("artifacts.json")
        labels: dict[str, str] = json.loads(links.read_text())
        records = {label: links.parents[2] / "artifacts" / place / "record.json" for label, place in labels.items()}
        seconds = {label: float(json.loads(file.read_text())["seconds"]) for label, file in records.items()}
    return Run(
        wall=wall,
        starts=starts(lines),
        steps=seconds,
        with_workers=frozenset(label for label, place in labels.items() if place.split("/")[0] in WITH_WORKERS),
        peak_memory=seen.peak_memory,
    )


def starts(lines: Sequence[tuple[float, str]]) -> float:
    """From the last line of the dry run to the first one of the job."""
    (ready,) = (number for number, (_, line) in enumerate(lines) if line.startswith(RAY_IS_UP))
    return lines[ready + 1][0] - lines[ready - 1][0]


if __name__ == "__main__":
    main()

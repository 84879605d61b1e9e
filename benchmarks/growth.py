"""Does the time grow as the work does? `python -m benchmarks.growth MODEL --questions FOLDER --pairs FOLDER`.

Counting and training with 1, 4 and 16 times the work, by 1 worker and by 2, as benchmarks/counting.py and
benchmarks/training.py measure our sides: process starts and loading do not count. The peer is linear growth, so the
rate of the least work: a comparison's ratio below 1 says that the time grows faster than the work. The other comparison
is 2 workers against 1 at the most work, which by linear growth is 2. The ratio of the benchmark is the lowest of the
first kind.
"""

import argparse
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks import counting, training
from benchmarks.measurement import (
    Comparison,
    Figures,
    Repeat,
    Side,
    alternate,
    compared,
    figures,
    finish,
    in_fresh_process,
    machine_peak,
    side,
)
from benchmarks.texts import add_model, add_source

TIMES, WORKERS = (1, 4, 16), (1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model(parser)
    add_source(parser, "questions", "records")
    add_source(parser, "pairs", "records")
    parser.add_argument("--count", type=int, default=25, help="questions of the least work, each in every language")
    parser.add_argument("--steps", type=int, default=4, help="of the least training, beside one for warming up")
    parser.add_argument("--batch", type=int, default=32, help="pairs in an optimizer step")
    parser.add_argument("--layers", type=int, default=2, help="so many are trained, from the first on")
    parser.set_defaults(micro_batch=1)  # of a peer that is not asked here
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        finish(measure(arguments, Path(folder)), arguments.keep)


def measure(arguments: argparse.Namespace, folder: Path) -> Figures:
    """All amounts of work by all numbers of workers, in turn."""
    sides = {}
    for workers in WORKERS:
        for times in TIMES:
            given = argparse.Namespace(**{**vars(arguments), "workers": workers})
            place = folder / f"{workers}-{times}"
            count = counting.task_of(given, place / "counting", times * arguments.count)
            train = training.task_of(given, place / "training", training.WARM_UP_STEPS + times * arguments.steps)
            sides[side_name("counting", workers, times)] = partial(in_fresh_process, counting.ours, count)
            sides[side_name("training", workers, times)] = partial(in_fresh_process, training.ours, train)
    peak = machine_peak(arguments.dtype)
    measured = {
        name: side(name, [_in_tokens(repeat) for repeat in repeats], peak)
        for name, repeats in alternate(sides, arguments.repeats).items()
    }
    growth, speedup = comparisons(measured)
    work = (
        f"{Path(arguments.model).name}, {arguments.dtype}, {arguments.count} questions in each language, and"
        f" {arguments.steps} steps of {arguments.batch} pairs, are 1 x the work"
    )
    lowest = min(comparison.ratio for comparison in growth)
    return figures("growth", "tokens/s", work, (*growth, *speedup), peak, lowest)


def comparisons(measured: Mapping[str, Side]) -> tuple[list[Comparison], list[Comparison]]:
    """More work against the least by as many workers; and at the most work, two workers against one."""
    growth, speedup = list[Comparison](), list[Comparison]()
    for kind in ("counting", "training"):
        for workers in WORKERS:
            least, *more = (measured[side_name(kind, workers, times)] for times in TIMES)
            growth += [compared(each, least) for each in more]
        one, two = (measured[side_name(kind, workers, TIMES[-1])] for workers in WORKERS)
        speedup.append(compared(two, one))
    return growth, speedup


def side_name(kind: str, workers: int, times: int) -> str:
    """What a side is called."""
    return f"{kind}, {workers} worker{'s' if workers > 1 else ''}, {times} x the work"


def _in_tokens(repeat: Repeat) -> Repeat:
    return repeat.model_copy(update={"amount": repeat.tokens})


if __name__ == "__main__":
    main()

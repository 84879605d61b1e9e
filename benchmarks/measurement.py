"""What the benchmarks share: sides that take turns, each in a fresh process, and how their figures are kept.

A benchmark measures our side and one or more peers at the same work. The ratio is the median of our rates over the
median of a peer's. Both sides must have read the same tokens, which a digest of them shows.
"""

import hashlib
import json
import multiprocessing
import os
import platform
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
from pydantic import BaseModel, ConfigDict

BASELINES = Path(__file__).parent / "baselines"
LOOK_INTERVAL_S = 1.0
PRODUCT_SIZE, PRODUCTS = 4096, 5  # of the machine's peak
FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")
T = TypeVar("T")


class Figure(BaseModel):
    """Base of what is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Repeat(Figure):
    """One side's measurement in one fresh process.

    Attributes:
        seconds: of the work alone.
        amount: of work, in the benchmark's unit without "/s".
        tokens: read or written in these seconds; padding is none.
        flops: floating-point operations that the work needs at least, so without padding; 0 where they are not counted.
        texts: digest of all tokens that the side was given.
        peak_memory: bytes of all processes of the side at once; of pages that are no file's and not shared.
        others: cores that were busy with other processes meanwhile, on the mean; they make a repeat worthless.
    """

    seconds: float
    amount: float
    tokens: int = 0
    flops: float = 0.0
    texts: str = ""
    peak_memory: int = 0
    others: float = 0.0


class Side(Figure):
    """All repeats of a side.

    Attributes:
        repeats: of each, in the benchmark's unit.
        median: of them.
        tokens_per_second: median; 0 where there are none to count, as everything below.
        share_of_peak: FLOP/s that the work needs, over those of a large matrix product.
        peak_memory_gib: the most of any repeat.
        others: cores that other processes took, in the repeat with most of it.
    """

    name: str
    repeats: tuple[float, ...]
    median: float
    tokens_per_second: float = 0.0
    share_of_peak: float = 0.0
    peak_memory_gib: float = 0.0
    others: float = 0.0


class Comparison(Figure):
    """Our side against a peer.

    Attributes:
        ratio: our median over the peer's.
        at_least: what the ratio is to be at least, if that is said.
        at_most: the same, at most.
    """

    ours: Side
    peer: Side
    ratio: float
    at_least: float | None = None
    at_most: float | None = None


class Machine(Figure):
    """What a figure was measured on."""

    cpu: str
    cores: int
    features: tuple[str, ...]
    memory_gib: int
    torch: str
    threads: int


class Figures(Figure):
    """What a benchmark prints last, and what is kept of it.

    Attributes:
        unit: of the repeats.
        work: what was measured, in words.
        ratio: of the first comparison, or what the benchmark makes of all.
        peak: FLOP/s of a large matrix product in the same dtype, with all cores, in this run; 0 if it was not measured.
    """

    benchmark: str
    date: str
    unit: str
    work: str
    comparisons: tuple[Comparison, ...]
    ratio: float
    peak: float
    machine: Machine


class Baselines(Figure):
    """A file of the last figures on one machine, by benchmark."""

    figures: dict[str, Figures]


def in_fresh_process(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function of a module in a new process; neither memory nor threads of another measurement are in it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def alternate(sides: Mapping[str, Callable[[], Repeat]], repeats: int) -> dict[str, list[Repeat]]:
    """Measure each side in turn, so many times, printing each repeat; a side starts its own fresh process."""
    measured: dict[str, list[Repeat]] = {name: [] for name in sides}
    for number in range(1, repeats + 1):
        for name, measure in sides.items():
            with watched() as seen:
                repeat = measure()
            repeat = repeat.model_copy(update={"peak_memory": seen.peak_memory, "others": seen.others})
            measured[name].append(repeat)
            print(
                f"{name}, repeat {number} of {repeats}: {repeat.amount:g} in {repeat.seconds:.2f} s,"
                f" {repeat.amount / repeat.seconds:.2f}/s, {repeat.peak_memory / 2**30:.2f} GiB;"
                f" other processes took {repeat.others:.2f} cores",
                flush=True,
            )
    return measured


@dataclass
class Watched:
    """What a block's processes took.

    Attributes:
        peak_memory: bytes that all children of this process held at once.
        others: cores that were busy with other processes, on the mean.
    """

    peak_memory: int = 0
    others: float = 0.0


@contextmanager
def watched() -> Iterator[Watched]:
    """Look at all children of this process now and then while the block runs; filled in at its end."""
    result, over, seconds_of = Watched(), threading.Event(), dict[int, float]()

    def look() -> None:
        held = 0
        for process in psutil.Process().children(recursive=True):
            with suppress(OSError, psutil.NoSuchProcess):  # it has ended
                held += _own_pages(process.pid)
                seconds_of[process.pid] = sum(process.cpu_times()[:2])
        result.peak_memory = max(result.peak_memory, held)

    def watch() -> None:
        while not over.wait(LOOK_INTERVAL_S):
            look()

    began, busy = time.monotonic(), _busy()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield result
    finally:
        over.set()
        watcher.join()
        look()
        taken = _busy() - busy - sum(seconds_of.values())
        result.others = max(0.0, taken / (time.monotonic() - began))


def _own_pages(process: int) -> int:
    """Bytes of a process's own pages; the kernel keeps this sum, so that asking for it does not slow the process."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _busy() -> float:
    """Seconds that the machine's cores have worked."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)


def digest(texts: Iterable[Sequence[int]]) -> str:
    """Of the tokens of all texts, whatever their order."""
    lines = sorted(",".join(map(str, text)) for text in texts)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def machine_peak(dtype: str) -> float:
    """FLOP/s of a large matrix product with all cores, the best of several."""
    return in_fresh_process(_product, dtype)


def _product(dtype: str) -> float:
    import torch

    torch.set_num_threads(cores())
    left, right = (torch.randn(PRODUCT_SIZE, PRODUCT_SIZE).to(getattr(torch, dtype)) for _ in range(2))
    seconds = []
    for _ in range(PRODUCTS):
        began = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - began)
    return 2.0 * PRODUCT_SIZE**3 / min(seconds)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def machine() -> Machine:
    """This machine, without its name."""
    import torch

    file = Path("/proc/cpuinfo")
    facts = file.read_text() if file.exists() else ""
    model = re.search(r"^model name\s*: (.+)$", facts, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.+)$", facts, re.MULTILINE)
    has = flags[1].split() if flags else []
    return Machine(
        cpu=model[1].strip() if model else platform.machine(),
        cores=cores(),
        features=tuple(feature for feature in FEATURES if feature in has),
        memory_gib=round(psutil.virtual_memory().total / 2**30),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
    )


def side(name: str, repeats: Sequence[Repeat], peak: float) -> Side:
    """All repeats of a side as rates; `peak` is the machine's."""
    rates = tuple(round(repeat.amount / repeat.seconds, 3) for repeat in repeats)
    return Side(
        name=name,
        repeats=rates,
        median=round(statistics.median(rates), 3),
        tokens_per_second=round(statistics.median(repeat.tokens / repeat.seconds for repeat in repeats), 1),
        share_of_peak=round(statistics.median(repeat.flops / repeat.seconds for repeat in repeats) / peak, 4),
        peak_memory_gib=round(max(repeat.peak_memory for repeat in repeats) / 2**30, 2),
        others=round(max(repeat.others for repeat in repeats), 2),
    )


def against_peers(
    measured: Mapping[str, Sequence[Repeat]], at_least: Mapping[str, float], peak: float
) -> tuple[Comparison, ...]:
    """The first of the sides against each other one, which has read the same tokens; and what the ratios are to be."""
    assert len({repeat.texts for repeats in measured.values() for repeat in repeats}) == 1, "not the same texts"
    ours, *peers = (side(name, repeats, peak) for name, repeats in measured.items())
    return tuple(compared(ours, peer, at_least=at_least.get(peer.name)) for peer in peers)


def compared(ours: Side, peer: Side, at_least: float | None = None, at_most: float | None = None) -> Comparison:
    """Our median over the peer's."""
    ratio = round(ours.median / peer.median, 3)
    return Comparison(ours=ours, peer=peer, ratio=ratio, at_least=at_least, at_most=at_most)


def figures(
    benchmark: str,
    unit: str,
    work: str,
    comparisons: tuple[Comparison, ...],
    peak: float = 0.0,
    ratio: float | None = None,
) -> Figures:
    """The figures of a benchmark of today on this machine."""
    return Figures(
        benchmark=benchmark,
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        unit=unit,
        work=work,
        comparisons=comparisons,
        ratio=comparisons[0].ratio if ratio is None else ratio,
        peak=peak,
        machine=machine(),
    )


def finish(found: Figures, keep: bool, folder: Path = BASELINES) -> None:
    """Print the figures as the last line; keep them in the machine's file in `folder` if that is wanted."""
    if keep:
        file = folder / f"{file_name(found.machine)}.json"
        before = Baselines.model_validate_json(file.read_text()).figures if file.exists() else {}
        kept = Baselines(figures=dict(sorted({**before, found.benchmark: found}.items())))
        file.write_text(json.dumps(kept.model_dump(mode="json"), indent=1) + "\n")
    print(found.model_dump_json(), flush=True)


def file_name(machine: Machine) -> str:
    """Name of a machine's file of figures: its processor and number of cores."""
    return re.sub(r"[^a-z0-9]+", "-", f"{machine.cpu} {machine.cores} cores".lower()).strip("-")

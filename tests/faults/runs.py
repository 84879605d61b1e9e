"""Where a main job is when something happens to it, and whether it comes to the same as an undisturbed one."""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

LIMIT = 24
# Small steps, so that each can be met half done.
SETTINGS = [
    *("--limit", str(LIMIT), "--activations.token_budget", "512"),
    *("--training.batch_size", "8", "--execution.checkpoint_steps", "4"),
]
SNAPSHOT = "train/*/scratch/train/checkpoint_manager_snapshot.json"


def artifacts(storage: Path) -> Path:
    """Where the smoke run of `SETTINGS` keeps them."""
    return storage / f"limit-{LIMIT}" / "artifacts"


def records(storage: Path, step: str) -> list[Path]:
    """Of a step's artifacts that are not damaged."""
    found = (artifacts(storage) / step).glob("*/record.json")
    return sorted(file for file in found if ".damaged-" not in file.parent.name)


def artifact(storage: Path, step: str) -> Path:
    """Folder of the files of the only artifact of a step."""
    (record,) = records(storage, step)
    return record.parent / "attempts" / str(json.loads(record.read_text())["attempt"])


def in_count(folder: Path) -> bool:
    """Under `artifacts(storage)`: some units are counted."""
    return len([file for file in folder.glob("count/*/scratch/**/*") if file.is_file()]) >= 3


def in_train(folder: Path) -> bool:
    """Ray Train knows of a checkpoint to go on from, in the middle of an epoch."""
    return any(map(_known, folder.glob(SNAPSHOT)))


def _known(snapshot: Path) -> str:
    try:
        latest = json.loads(snapshot.read_text())["latest_checkpoint_result"]
    except (FileNotFoundError, json.JSONDecodeError):  # it is being written
        return ""
    return str(latest["checkpoint_dir_name"]) if latest else ""


def in_generate(folder: Path) -> bool:
    """Some responses are there of a model whose generation is not finished."""
    return any(file.stat().st_size for scratch in folder.glob("generate/*/scratch") for file in scratch.glob("*.jsonl"))


def responses(storage: Path) -> list[tuple[str, str, str, str]]:
    """Fingerprint of the generation, language, id and response of every row."""
    import pyarrow.parquet as pq

    rows = []
    for record in records(storage, "generate"):
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


@dataclass(frozen=True)
class Same:
    """How far a run is from the undisturbed one, where they may differ.

    Attributes:
        tensors: largest difference of a tuned weight.
        responses: of all, how many differ.
        points: by which the average accuracies differ at most.
    """

    tensors: float
    responses: int
    points: float


def assert_same(storage: Path, reference: Path, accuracy: float = 100 / 240) -> Same:
    """Counts and selection to the bit, the rows of responses exactly, the rest as close as undisturbed runs are.

    Args:
        accuracy: points by which the averages may differ; one answer of an average's 240, if nothing is said.
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
    different = sum(one != other for one, other in zip(rows, remade, strict=True))
    assert different <= 0.05 * len(rows), "greedy answers may differ in rounding only"
    points = float(np.abs(np.subtract(averages(reference), averages(storage))).max())
    assert points <= accuracy + 1e-6
    tensors = max((weight.float() - retuned[name].float()).abs().max().item() for name, weight in tuned.items())
    return Same(tensors, different, points)


@dataclass
class FaultTable:
    """What was seen, a row for each fault in a step."""

    rows: list[str] = field(default_factory=list)

    def add(self, fault: str, step: str, seen: str, outcome: Same | None) -> None:
        """Note what came of a fault; `outcome` is None where the run is meant to stop."""
        if outcome is None:
            end = "-"
        elif outcome == Same(0, 0, 0):
            end = "equal to the bit"
        else:
            end = (
                f"same; weights differ by at most {outcome.tensors:.0e}, {outcome.responses} responses,"
                f" accuracy by {outcome.points:.2f}"
            )
        self.rows.append(f"| {fault} | {step} | {seen} | {end} |")

    def write(self, file: Path) -> None:
        """Put the table between the marks of the page `file`."""
        when = f"{time.strftime('%Y-%m-%d')}, {processor()}, {len(self.rows)} faults:\n\n"
        head = "| fault | step | what the run did | against the undisturbed run |\n|---|---|---|---|\n"
        put_between(file, "table", when + head + "".join(f"{row}\n" for row in self.rows))


def put_between(file: Path, mark: str, text: str) -> None:
    """Replace what is between `<!-- mark -->` and `<!-- end mark -->` in a page."""
    start, end = f"<!-- {mark} -->\n", f"<!-- end {mark} -->\n"
    before, _, rest = file.read_text().partition(start)
    _, found, after = rest.partition(end)
    assert found, f"{file} has no place for the {mark}"
    file.write_text(f"{before}{start}{text}{end}{after}")


def processor() -> str:
    """Of this machine, and how many cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return f"{len(os.sched_getaffinity(0))} cores of {model}"

"""Where a main job is when it is killed, and whether it comes to the same as an undisturbed one."""

import json
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
    """Of a step's finished artifacts."""
    return sorted((artifacts(storage) / step).glob("*/record.json"))


def artifact(storage: Path, step: str) -> Path:
    """Folder of the files of the only artifact of a step."""
    (record,) = (file for file in records(storage, step) if ".damaged-" not in file.parent.name)
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

"""The main job on published corpora, in all their languages, through all engines, with a tiny random model of a family.

Its layers are named, not selected: random weights hold no layer that handles languages, so the rule's choice among them
would be chance.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from safetensors.torch import load_file

from slam_ray.cluster.local.head import LocalRay
from slam_ray.models.families import FAMILIES
from tests.models import tiny_model
from tests.published import PUBLISHED, needs_published

pytestmark = [needs_published, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
LIMIT = 3
QALIGN = {"path": str(PUBLISHED / "gsm8kinstruct_qalign"), "format": "qalign"}
TRAINED = {"en", "de", "es", "fr", "ja", "ru", "sw", "zh"}
MGSM = TRAINED | {"bn", "te", "th"}
# A token is a byte, so texts are long; one worker of each kind but for training, whose ranks share the gradients.
RUN = {
    "corpora": {
        "questions": QALIGN,
        "pairs": QALIGN,
        "english": {"path": str(PUBLISHED / "ntrex"), "format": "parallel"},
        "benchmarks": {
            "mgsm": {"path": str(PUBLISHED / "mgsm"), "format": "mgsm"},
            "msvamp": {"path": str(PUBLISHED / "msvamp"), "format": "msvamp", "part": "report"},
        },
    },
    "selection": {"first": 2},
    "training": {"learning_rate": 1e-3, "epochs": 1, "batch_size": 8, "max_length": 2048},
    "evaluation": {"max_new_tokens": 8},
    "execution": {"counting_actors": 1, "training_workers": 2, "engines": 1},
}


@pytest.mark.parametrize(("family", "dtype"), [("llama", "float32"), ("phi3", "bfloat16")])
def test_every_language_goes_through_every_engine(
    family: str, dtype: str, ray_cluster: LocalRay, tmp_path: Path
) -> None:
    model = tiny_model(tmp_path / "model", family, positions=4096)
    config = {"model": {"path": str(model), "dtype": dtype}, "storage": str(tmp_path), **RUN}
    (tmp_path / "real.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "jobs/run_slam.py", str(tmp_path / "real.yaml"), "--limit", str(LIMIT)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    storage = tmp_path / f"limit-{LIMIT}"
    summary = json.loads((storage / "runs" / "real" / "summary.json").read_text())
    assert (summary["selected_layers"], summary["chosen_by"]) == ([0, 1], "first")
    for benchmark, languages in (("mgsm", MGSM), ("msvamp", MGSM - {"te"})):
        for when in ("before", "after"):
            assert summary["benchmarks"][benchmark]["accuracy"][when].keys() == languages
    assert result(storage, "count")["tokens"].keys() == TRAINED
    assert set(result(storage, "select")["overlap"]) == TRAINED - {"en"}
    losses = result(storage, "pairs")["losses"]
    assert sum(loss["pairs"] for loss in losses if loss["rule"] == "untranslated") >= 534
    assert result(storage, "train")["steps"] == 3
    before, after = summary["english_loss"]
    assert 0 < before < 10
    assert before != after
    responses = [row for folder in artifacts(storage, "generate") for row in rows(folder / "responses.parquet")]
    assert len(responses) == 2 * LIMIT * (len(MGSM) + len(MGSM) - 1)
    assert all(0 < row["tokens"] <= 8 for row in responses)

    base, (folder,) = load_file(model / "model.safetensors"), artifacts(storage, "train")
    tuned = load_file(folder / "trained.safetensors")
    parts = {FAMILIES[family].parameter(layer, part) for layer in (0, 1) for part in ("up", "down")}
    assert tuned.keys() == parts
    for name, weight in tuned.items():
        frozen = len(weight) // 2 if "gate_up" in name else 0
        assert weight[:frozen].equal(base[name][:frozen]), "the gate stays as it was, also under ZeRO"
        assert (weight[frozen:] != base[name][frozen:]).float().mean() > 0.9


def artifacts(storage: Path, step: str) -> list[Path]:
    records = storage.glob(f"artifacts/{step}/*/record.json")
    return [record.parent / "attempts" / json.loads(record.read_text())["attempt"] for record in records]


def result(storage: Path, step: str) -> dict[str, Any]:
    (record,) = storage.glob(f"artifacts/{step}/*/record.json")
    found: dict[str, Any] = json.loads(record.read_text())["result"]
    return found


def rows(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return found

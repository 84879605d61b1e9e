"""A new recipe, of two trainings: killed in the second one, it goes on there."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import yaml
from safetensors.torch import load_file

from tests import two_trainings

ROOT = Path(__file__).parents[2]
DATA = ROOT / "slam_ray" / "demo" / "data"
SETTINGS = {
    "limit": 16,
    "model": {"path": str(ROOT / "slam_ray" / "demo" / "models" / "base"), "dtype": "float32"},
    "activations": {"questions": 8, "groups": 4},
    "training": {"epochs": 2, "batch_size": 24, "learning_rate": 2e-3, "max_length": 256, "pack_length": 256},
    "evaluation": {"max_new_tokens": 96},
    "execution": {"checkpoint_steps": 2, "training_workers": 1, "counting_actors": 1},
}


def test_killed_in_its_second_training_it_goes_on_there(tmp_path: Path) -> None:
    lines = (DATA / "pairs.jsonl").read_text().splitlines(keepends=True)
    configs = []
    for kind in ("question", "answer"):
        pairs = tmp_path / f"{kind}s.jsonl"
        pairs.write_text("".join(line for line in lines if json.loads(line)["kind"] == kind))
        corpora = {
            "questions": str(DATA / "questions.jsonl"),
            "pairs": str(pairs),
            "benchmarks": {"demo": str(DATA / "test.jsonl")},
        }
        configs.append(tmp_path / f"{kind}s.yaml")
        configs[-1].write_text(yaml.safe_dump({**SETTINGS, "storage": str(tmp_path / "s"), "corpora": corpora}))
    command = [sys.executable, "-u", two_trainings.__file__, *map(str, configs)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    trainings = tmp_path / "s" / "limit-16" / "artifacts" / "train"
    with (tmp_path / "log").open("w") as log:
        started = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        while not (list(trainings.glob("*/record.json")) and list(trainings.glob("*/scratch/train/checkpoint_*"))):
            assert started.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        started.kill()
        started.wait()
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "first training: done before" in again.stdout
    assert "train: going on after step" in again.stdout
    one, other = (load_file(file) for file in trainings.glob("*/attempts/*/trained.safetensors"))
    assert one.keys() == other.keys()
    assert any(not one[name].equal(other[name]) for name in one)

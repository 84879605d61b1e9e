"""What a GPU is to be measured with runs here from end to end, on a CPU and a tiny model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.flops import training_flops
from benchmarks.shapes import random_model, shape
from slam_ray.models.families import FAMILIES
from slam_ray.models.forward_pass import TargetLoss
from slam_ray.models.packing import rows_of_rank
from slam_ray.models.trainable import tune_only
from tests.unit.test_forward_pass import texts
from tests.unit.test_zero2 import BOUNDS

ROOT = Path(__file__).parents[2]


def test_every_part_runs_and_agrees_with_its_reference() -> None:
    done = subprocess.run(
        ["bash", "benchmarks/gpu.sh", "--shapes", "tiny"],
        cwd=ROOT,
        env=os.environ | {"PYTHON": sys.executable},
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert [part for part, figures in found.items() if {"failed", "left out"} & figures.keys()] == [], done.stdout
    assert found["machine"]["peak_flops"] > 0
    attention = found["attention tiny"]
    # Output and gradients of queries, keys and values, in parts of the largest number.
    for differences in (attention["largest difference"], attention["largest difference, windowed"]):
        assert len(differences) == 4
        assert max(differences) < 0.02
    assert attention["seconds by text"] > 0
    for case, differences in found["zero2"].items():
        bounds = BOUNDS["bfloat16", case.split(", ")[1]]
        assert {what: value for what, value in differences.items() if not value <= bounds[what]} == {}, case
    assert found["counts"]["torch.float32"] == found["counts"]["torch.bfloat16"] == 0, "the same device"
    ours, theirs = found["slam tiny"], found["trainer tiny"]
    assert ours["ratio"] == ours["tokens_per_second"] / theirs["tokens_per_second"] > 0
    assert 0 < ours["peak_flops_share"] < 1


def test_a_part_that_finds_no_time_left_says_so() -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "all", "--shapes", "tiny", "--seconds", "0"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert {figures["left out"] for figures in found.values()} == {"no time was left"}


def test_flops_are_those_that_torch_counts() -> None:
    model, examples = random_model("tiny", torch.float32, torch.device("cpu")), texts()
    (row,) = rows_of_rank(examples, 4096)
    for layers in (range(2), range(1, 3)):
        tune_only(model, FAMILIES["llama"], layers, ("up", "down"))
        with FlopCounterMode(display=False) as counter:
            TargetLoss(model)(row).backward()
        products, _ = training_flops(shape("tiny"), examples, layers)
        assert products == counter.get_total_flops()

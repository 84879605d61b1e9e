"""A main job on two nodes in which each engine loses a process: counting, training, its controller, generation."""

import re
from pathlib import Path

import pytest

from tests.faults.runs import FaultTable, assert_same, in_count, in_generate, in_train
from tests.nodes import Job, Nodes, kill_one

pytestmark = pytest.mark.timeout(900)

STEP = "train: going on after step"


def test_killed_processes_are_replaced(nodes: Nodes, undisturbed: Path, tmp_path: Path, table: FaultTable) -> None:
    job = Job(nodes.head, tmp_path / "storage")
    job.until(in_count)
    assert kill_one("CountingActor", wait_s=30)
    job.until(in_train)
    assert kill_one("RayTrainWorker", wait_s=30)
    job.has_said(STEP)
    assert kill_one("TrainController", wait_s=30)
    job.has_said(STEP, 2)
    job.until(in_generate)
    assert kill_one("Engine.advance", wait_s=30)
    said = job.finish()
    assert "train: its controller was lost (1 of at most 2 times)" in said
    (asked_again,) = re.findall(r"lost, its (\d+) rows are asked again", said)
    after = re.findall(rf"{STEP} (\d+)", said)
    outcome = assert_same(job.storage, undisturbed)
    table.add("counting actor killed with -9", "count", "its unit is counted again by another", outcome)
    table.add("training worker killed with -9", "train", f"all start again after step {after[0]}", outcome)
    table.add("Train controller killed with -9", "train", f"a new one goes on after step {after[1]}", outcome)
    table.add("vLLM engine killed with -9", "generate", f"its {asked_again} rows are asked again", outcome)

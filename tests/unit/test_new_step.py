"""A new step in twenty lines: the one that CONTRIBUTING.md shows, run as it stands there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from slam_ray.activations.counting import CountResult
from slam_ray.activations.counts import COUNTS_FILE, Counts, read_counts, write_counts
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ExecutionConfig, Section
from slam_ray.store.making import make, plan
from slam_ray.store.step import Artifacts, Attempt, Input, Step
from slam_ray.store.storage import Storage

# What the page takes as known.
KNOWN = {"COUNTS_FILE": COUNTS_FILE, "read_counts": read_counts, "np": np} | {
    each.__name__: each for each in (Attempt, BaseModel, CountResult, Section, Step)
}


class Counted(BaseModel):
    tokens: int


def count(attempt: Attempt) -> Counted:
    activated = np.zeros((1, 2, 2, 3), dtype=np.int64)
    activated[0, 0, 0, 0] = activated[0, 1, 1, 2] = 3
    activated[0, 1, 1, 1] = 1
    write_counts(attempt.directory / COUNTS_FILE, Counts(("en", "sw"), activated, np.full((1, 2), 4)))
    return Counted(tokens=8)


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 16
    names = {**KNOWN, "Input": Input, "__name__": __name__}
    exec(compile(code, "CONTRIBUTING.md", "exec", dont_inherit=True), names)
    return names


def test_the_step_that_the_page_teaches(page: dict[str, Any], tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    counting = Step("count", 1, Counted(tokens=8), {}, Counted, count)
    unused = page["unused_step"](page["UnusedConfig"](), counting)
    assert [step.state for step in plan([unused], storage)] == ["to do", "to do"]
    artifacts = Artifacts(storage)
    with RayCluster(ExecutionConfig()) as cluster:
        make([unused], artifacts, cluster)
        assert artifacts.make(unused, cluster) == artifacts[unused]
    assert artifacts[unused].result.unused == (2, 1)
    assert np.load(artifacts[unused].file("unused.npy")).tolist() == [[False, True, True], [True, False, False]]
    stricter = page["unused_step"](page["UnusedConfig"](most_tokens=1), counting)
    assert [step.reason for step in plan([stricter], storage)] == ["", "config.most_tokens: 0 -> 1"]

"""A new step in twenty lines: the one that CONTRIBUTING.md shows, run as it stands there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, Field

from slam_ray.activations.counts import COUNTS_FILE, Counts, read_counts, write_counts
from slam_ray.config import ExecutionConfig, Section
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.stages import Stage, plan, run
from slam_ray.pipeline.step import Artifact, Attempt, Step
from slam_ray.pipeline.storage import Storage

# What the page takes as known.
KNOWN = {"COUNTS_FILE": COUNTS_FILE, "read_counts": read_counts, "np": np, "Any": Any, "Field": Field} | {
    each.__name__: each for each in (Artifact, Attempt, BaseModel, Section, Stage, Step)
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
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    names = {**KNOWN, "__name__": __name__}
    exec(compile(code, "CONTRIBUTING.md", "exec", dont_inherit=True), names)
    return names


def test_the_step_that_the_page_teaches(page: dict[str, Any], tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    counting = Stage("count", lambda done: Step("count", 1, Counted(tokens=8), {}, Counted, count))
    stages = [counting, page["stage"]]
    assert [each.state for each in plan(stages, storage)] == ["to do", "to do"]
    with Context(ExecutionConfig()) as context:
        done = run(stages, storage, context)
        assert run(stages, storage, context) == done
    assert done["unused"].result.unused == (2, 1)
    assert np.load(done["unused"].file("unused.npy")).tolist() == [[False, True, True], [True, False, False]]
    stricter = Stage("unused", lambda done: page["unused_step"](page["UnusedConfig"](most_tokens=1), done["count"]))
    assert [each.reason for each in plan([counting, stricter], storage)] == ["", "config.most_tokens: 0 -> 1"]

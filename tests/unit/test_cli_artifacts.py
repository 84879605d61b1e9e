"""`slam-ray artifacts`: what a storage holds, why, and that nothing is removed which a run names."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from slam_ray.cli import main
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ExecutionConfig
from slam_ray.store.runs import Run
from slam_ray.store.step import Step
from slam_ray.store.storage import Storage
from tests.configs import run_config
from tests.unit.test_making import Product, chain, counting_up, find


@pytest.fixture
def cluster() -> Iterator[RayCluster]:
    with RayCluster(ExecutionConfig()) as cluster:
        yield cluster


def run_of(storage: Path, name: str, factor: int) -> tuple[Run, list[Step[Product]]]:
    steps = chain(factor)
    return Run(run_config(name=name, storage=str(storage)), steps[-1:]), steps


@pytest.fixture
def storage(tmp_path: Path, cluster: RayCluster) -> Path:
    """One run, a step that another has made and whose run is gone, an unfinished one, and a damaged one made again."""
    mine, steps = run_of(tmp_path, "mine", 2)
    artifacts = mine.make(cluster)
    other, _ = run_of(tmp_path, "other", 5)
    other.make(cluster)
    (other.path / "artifacts.json").remove()
    artifacts[steps[1]].file("value.txt").unlink()
    mine.make(cluster)
    unfinished = tmp_path / "artifacts" / "counting-up" / find(counting_up(), Storage(tmp_path)).fingerprint / "scratch"
    unfinished.mkdir(parents=True)
    (unfinished / "state").write_text("1")
    return tmp_path


def names(folder: Path) -> set[str]:
    return {f"{home.parent.name}/{home.name}" for home in folder.glob("artifacts/*/*/")}


def age(folder: Path, days: float) -> None:
    then = time.time() - days * 86400
    for file in folder.rglob("*"):
        os.utime(file, (then, then))


def test_gc_removes_what_no_run_names(storage: Path, cluster: RayCluster, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(storage)
    assert len(before) == 3 + 2 + 1 + 1
    assert main(["artifacts", "gc", "--storage", str(storage)]) == 0
    assert names(storage) == before, "all of it is young: a run may be at work"
    age(storage, 8)
    assert main(["artifacts", "gc", "--storage", str(storage), "--dry-run"]) == 0
    assert names(storage) == before
    assert main(["artifacts", "gc", "--storage", str(storage)]) == 0
    mine, steps = run_of(storage, "mine", 2)
    artifacts = mine.make(cluster)
    kept = {f"{step.name}/{artifacts[step].fingerprint}" for step in steps}
    assert names(storage) == kept
    assert len(list(storage.glob("artifacts/*/*.lock"))) == len(kept)
    assert "4 of 7 artifacts" in capsys.readouterr().out


def test_list_and_why(storage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["artifacts", "list", "--storage", str(storage)]) == 0
    *rows, last = capsys.readouterr().out.splitlines()
    assert len(rows) == 7
    assert sum(row.endswith("  mine") for row in rows) == 3
    assert [sum(state in row for row in rows) for state in ("unfinished", "damaged")] == [1, 1]
    assert last.startswith("7 of 7 artifacts")
    one = find(chain(2)[0], Storage(storage))
    assert main(["artifacts", "why", one.fingerprint[:12], "--storage", str(storage)]) == 0
    said = yaml.safe_load(capsys.readouterr().out)
    assert (said["artifact"], said["runs"]) == (f"constant/{one.fingerprint}", ["mine"])
    assert said["config"] == {"value": 3}
    assert len(said["read by"]) == 2


@pytest.mark.parametrize(
    ("argv", "said"), [(["why", "0123"], "no artifacts are named 0123"), (["list", "--storage", "none"], "--storage")]
)
def test_what_is_not_there(
    argv: list[str], said: str, storage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(storage)
    assert main(["artifacts", *argv]) == 2
    assert said in capsys.readouterr().err

"""`jobs/artifacts.py`: what a storage holds, why, and that nothing is removed which a run names."""

import os
import time
from pathlib import Path

import pytest
import yaml

from jobs.artifacts import main
from slam_ray.config import RunConfig
from slam_ray.pipeline.runs import Run
from slam_ray.pipeline.storage import Storage
from tests.unit.test_pipeline import counting_up, stages


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """One run, a step that another has made and whose run is gone, an unfinished one, and a damaged one made again."""
    corpora = {"questions": "q", "pairs": "p", "benchmarks": {"b": "b"}}

    def run(name: str, factor: int) -> Run:
        config = RunConfig(name=name, storage=str(tmp_path), model={"path": "m"}, corpora=corpora)
        return Run(config, stages(factor, []))

    mine, other = run("mine", 2), run("other", 5)
    done = mine.carry_out()
    other.carry_out()
    (other.path / "artifacts.json").remove()
    done["two"].file("value.txt").unlink()
    run("mine", 2).carry_out()
    unfinished = tmp_path / "artifacts" / "counting-up" / counting_up().fingerprint / "scratch"
    unfinished.mkdir(parents=True)
    (unfinished / "state").write_text("1")
    return tmp_path


def names(folder: Path) -> set[str]:
    return {f"{home.parent.name}/{home.name}" for home in folder.glob("artifacts/*/*/")}


def age(folder: Path, days: float) -> None:
    then = time.time() - days * 86400
    for file in folder.rglob("*"):
        os.utime(file, (then, then))


def test_gc_removes_what_no_run_names(storage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(storage)
    assert len(before) == 3 + 2 + 1 + 1
    assert main(["gc", "--storage", str(storage)]) == 0
    assert names(storage) == before, "all of it is young: a run may be at work"
    age(storage, 8)
    assert main(["gc", "--storage", str(storage), "--dry-run"]) == 0
    assert names(storage) == before
    assert main(["gc", "--storage", str(storage)]) == 0
    config = RunConfig(
        name="mine", storage=str(storage), model={"path": "m"}, corpora={"pairs": "p", "benchmarks": {"b": "b"}}
    )
    kept = {f"{a.step}/{a.fingerprint}" for a in Run(config, stages(2, [])).carry_out().values()}
    assert names(storage) == kept
    assert len(list(storage.glob("artifacts/*/*.lock"))) == len(kept)
    assert "4 of 7 artifacts" in capsys.readouterr().out


def test_list_and_why(storage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--storage", str(storage)]) == 0
    *rows, last = capsys.readouterr().out.splitlines()
    assert len(rows) == 7
    assert sum(row.endswith("  mine") for row in rows) == 3
    assert [sum(state in row for row in rows) for state in ("unfinished", "damaged")] == [1, 1]
    assert last.startswith("7 of 7 artifacts")
    two = Storage(storage).find(stages(2, [])[0].build({}))
    assert main(["why", two.fingerprint[:12], "--storage", str(storage)]) == 0
    said = yaml.safe_load(capsys.readouterr().out)
    assert (said["artifact"], said["runs"]) == (f"constant/{two.fingerprint}", ["mine"])
    assert said["config"] == {"value": 3}
    assert len(said["read by"]) == 2


@pytest.mark.parametrize(
    ("argv", "said"), [(["why", "0123"], "no artifacts are named 0123"), (["list", "--storage", "none"], "--storage")]
)
def test_what_is_not_there(
    argv: list[str], said: str, storage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(storage)
    assert main(argv) == 2
    assert said in capsys.readouterr().err

"""The main job through all engines: what it makes, what it says before it starts, and that it is made once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from slam_ray.cluster.local.head import LocalRay
from tests.faults.runs import SETTINGS, artifact

ROOT = Path(__file__).parents[2]
SECRET = "hf_canary0123456789"


def start(storage: Path, *more: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(ROOT / "jobs" / "run_slam.py"), "demo", "--storage", str(storage), *SETTINGS, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    output, _ = process.communicate(timeout=280)
    assert process.returncode == code, output
    return output


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: LocalRay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("undisturbed")
    output = finish(start(storage, HF_TOKEN=SECRET))
    assert SECRET not in output
    assert output.splitlines()[-1] == f"report: {storage}/limit-24/runs/demo/index.html"
    assert "SMOKE RUN on the first 24" in output
    return storage


def test_no_secret_is_written_anywhere(undisturbed: Path, ray_cluster: LocalRay) -> None:
    """In no file of the run, and in no log that Ray keeps of it; nor is the token of Ray."""
    token = Path(ray_cluster.environment["RAY_AUTH_TOKEN_PATH"])
    logs = (token.parent / "session_latest").resolve() / "logs"
    files = [file for folder in (undisturbed, logs) for file in folder.rglob("*") if file.is_file()]
    assert {"record.json", "config.yaml", "index.html", "summary.json", "gcs_server.out"} <= {
        file.name for file in files
    }
    for secret in (SECRET.encode(), token.read_bytes().strip()):
        assert not [file for file in files if secret in file.read_bytes()]


def test_only_the_selected_projections_are_trained(undisturbed: Path) -> None:
    summary = json.loads((undisturbed / "limit-24" / "runs" / "demo" / "summary.json").read_text())
    with safe_open(artifact(undisturbed, "train") / "trained.safetensors", framework="np") as trained:
        names = set(trained.keys())
    assert names == {
        f"model.layers.{layer}.mlp.{part}_proj.weight"
        for layer in summary["selected_layers"]
        for part in ("up", "down")
    }
    assert summary["chosen_by"] == "rule"
    assert 0 < summary["trained_share"] < 0.5
    languages = {"bn", "th", "sw", "ja", "zh", "de", "fr", "ru", "es", "en"}
    for when in ("before", "after"):
        assert set(summary["accuracy"][when]) == set(summary["pcr"][when]) == languages
    assert set(summary["seconds"]) >= {"count", "select", "train", "report"}
    assert Path(summary["report"]).read_text().startswith("<!doctype html>")


def test_a_finished_job_imports_nothing_heavy(undisturbed: Path, tmp_path: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in undisturbed.rglob("record.json")}
    for name in ("ray", "torch", "transformers"):
        (tmp_path / f"{name}.py").write_text("raise AssertionError(f'{__name__} is imported')")
    without = {"PYTHONPATH": str(tmp_path)}
    assert "to do" not in finish(start(undisturbed, "--dry-run", **without))
    output = finish(start(undisturbed, **without))
    assert "SMOKE RUN" in output
    assert {file: file.stat().st_mtime_ns for file in undisturbed.rglob("record.json")} == before


def test_dry_run_names_what_is_to_do_and_why(undisturbed: Path) -> None:
    output = finish(start(undisturbed, "--dry-run", "--name", "other", "--training.epochs", "2"), code=3)
    lines = {line.split("  ")[0]: line for line in output.splitlines()}
    assert lines["count"].endswith("done")
    assert lines["train"].endswith("to do (config.training.epochs: 1 -> 2)")
    assert lines["generate base demo"].endswith("done")
    assert "to do (inputs.model: " in lines["generate tuned demo"]


def test_another_configuration_needs_another_name(undisturbed: Path) -> None:
    output = finish(start(undisturbed, "--training.epochs", "2"), code=2)
    assert "config.training.epochs: 1 -> 2" in output
    assert "--name" in output


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (["--execution.engines", "99"], "engines: 99 workers of 1 CPU each, but there is room for 4"),
        (["--execution.training_workers", "5"], "--execution.training_workers 4"),
    ],
)
def test_what_can_never_fit_is_said_before_anything_starts(
    ray_cluster: LocalRay, tmp_path: Path, more: list[str], part: str
) -> None:
    output = finish(start(tmp_path, *more), code=2)
    assert part in output
    assert "Traceback" not in output
    assert not list(tmp_path.glob("limit-24/artifacts/count/*/record.json"))

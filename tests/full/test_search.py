"""One small search through all engines, as a user starts it: what it finds, shares, logs and leaves behind."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from slam_ray.config import ExecutionConfig, load_config
from slam_ray.evaluation import read_responses
from slam_ray.evaluation.generation import generate_step
from slam_ray.models.reference import base_model
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.local_ray import LocalRay
from slam_ray.pipeline.stages import run
from slam_ray.pipeline.storage import Storage
from slam_ray.search.search import CHOOSING, text_stages
from slam_ray.training import train_step
from tests.search import ROOT, finish, folder, found, records, start

pytestmark = pytest.mark.timeout(1800)

TRIALS = 4
# The rule selects layers 0, 1, 2 and 4 of the embedded default; there is no layer 8.
SPACE = {"selection.layers": {"grid": [[0, 1, 2, 4], "0-0", "7-9"]}}


@pytest.fixture(scope="module")
def searched(ray_cluster: LocalRay, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Its storage and its output; one engine, so that it is kept beside the two workers of a training."""
    storage = tmp_path_factory.mktemp("search")
    store = f"sqlite:///{storage}/mlflow.db"
    process = start(storage, search__space=SPACE, search__trials=TRIALS, search__mlflow=store, execution__engines=1)
    return storage, finish(process)


def test_every_trial_is_a_row_and_a_failed_one_says_why(searched: tuple[Path, str]) -> None:
    storage, output = searched
    rows = found(storage)["trials"]
    assert [row["number"] for row in rows] == list(range(TRIALS))
    assert rows[0]["point"] == {"selection.layers": "null"}
    states = {row["point"]["selection.layers"]: row["state"] for row in rows}
    assert states["null"] == "finished"
    assert states["7-9"] == "failed"
    (failed,) = [row for row in rows if row["state"] == "failed"]
    assert "there is no layer 8; the model has layers 0 to 7" in failed["error"]
    assert "failed: InputError: selection.layers: there is no layer 8" in output[output.index("SMOKE SEARCH") :]
    assert "engines stay up beside them" in output


def test_one_count_serves_all_and_equal_selections_are_one_training(searched: tuple[Path, str]) -> None:
    storage, output = searched
    rows = {row["point"]["selection.layers"]: row for row in found(storage)["trials"]}
    assert len(records(storage, "count")) == 1
    assert rows["null"]["layers"] == rows["0 1 2 4"]["layers"] == [0, 1, 2, 4]
    assert rows["0 1 2 4"]["same_training_as"] == 0
    assert "the layers and hyper-parameters of trial-0: one training for both" in output
    assert rows["0 1 2 4"]["non_english"] == rows["null"]["non_english"]
    trained = [json.loads(record.read_text())["config"]["layers"] for record in records(storage, "train")]
    assert sorted(trained) in ([[0, 1, 2, 4]], [[0], [0, 1, 2, 4]])


def test_the_winner_is_a_configuration_whose_training_is_done(searched: tuple[Path, str], tmp_path: Path) -> None:
    storage, _ = searched
    result = found(storage)
    best = result["best"]
    assert best is not None
    assert best["within_bound"]
    config = load_config(str(folder(storage) / "best.yaml"), {})
    assert config.name == "demo-best"
    planned = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / "run_slam.py"), str(folder(storage) / "best.yaml"), "--dry-run"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = {line.rsplit("  ", 1)[0].strip(): line.rsplit("  ", 1)[1] for line in planned.stdout.splitlines()}
    assert {lines[title] for title in ("count", "train", "generate tuned demo")} == {"done"}, planned
    test = result["test"]["demo"]
    assert test["low"] <= test["difference"] <= test["high"]
    ranges = any(row["state"] == "finished" and row["layers"] == [0] for row in result["trials"])
    drawn = {file.name for file in folder(storage).glob("*.png")}
    assert drawn == {"pareto.png", *(["layer_ranges.png"] if ranges else [])}


def test_tensorboard_and_mlflow_hold_every_trial(searched: tuple[Path, str]) -> None:
    from mlflow.tracking import MlflowClient

    storage, _ = searched
    logs = folder(storage) / "trials"
    assert {file.parent.name for file in logs.glob("trial-*/events.out.tfevents*")} >= {"trial-0", "trial-1"}
    client = MlflowClient(f"sqlite:///{storage}/mlflow.db")
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    runs = {each.info.run_name: each for each in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {f"trial-{number}" for number in range(TRIALS)}
    own = runs["trial-0"]
    assert own.data.params == {"selection.layers": "null"}
    assert own.data.metrics["non_english"] == found(storage)["trials"][0]["non_english"]
    trained = [
        each.data.metrics["translation_loss"] for each in runs.values() if "translation_loss" in each.data.metrics
    ]
    assert trained, "whichever of two trials with one training was first has logged its loss"
    assert all(loss > 0 for loss in trained)
    assert "config.yaml" in {artifact.path for artifact in client.list_artifacts(own.info.run_id)}


def test_a_finished_search_needs_no_ray(searched: tuple[Path, str]) -> None:
    storage, output = searched
    environment = os.environ.get("RAY_ADDRESS")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", "127.0.0.1:1")
        again = finish(
            start(
                storage, search__space=SPACE, search__trials=TRIALS,
                search__mlflow=f"sqlite:///{storage}/mlflow.db", execution__engines=2,
            )
        )  # fmt: skip
    assert os.environ.get("RAY_ADDRESS") == environment
    assert again.strip() == output[output.index("SMOKE SEARCH") :].strip()


def test_responses_in_the_kept_engine_are_those_of_a_fresh_one(searched: tuple[Path, str], tmp_path: Path) -> None:
    storage, _ = searched
    config = load_config(str(folder(storage) / "best.yaml"), {})
    config = config.model_copy(update={"search": load_config("demo", {}).search})
    stored = Storage.of(config)
    trained = records(storage, "train")
    layers = json.loads(trained[-1].read_text())["config"]["layers"]
    with Context(ExecutionConfig(engines=1)) as context:
        done = run(text_stages(config), stored, context)
        base = base_model(str(config.model.path))
        step = train_step(
            config.training, config.prompts, config.model.dtype, done["pairs"], base, layers, config.execution
        )
        model = replace(base, trained=stored.find(step))
        asked = generate_step(
            config.evaluation, config.prompts, config.model.dtype, done[CHOOSING], model, config.execution
        )
        before = stored.find(asked)
        assert before.directory is not None
        fresh = Storage(tmp_path).make(asked, context)
    assert read_responses(before) == read_responses(fresh)


def test_a_trial_that_never_fits_is_an_error_at_the_start(ray_cluster: LocalRay, tmp_path: Path) -> None:
    output = finish(start(tmp_path, search__space=SPACE, search__trials=TRIALS, execution__training_workers=4), code=2)
    assert "a trial never fits this cluster: training wants 4 workers of 1 CPU each" in output
    assert "Traceback" not in output
    assert not list(tmp_path.rglob("record.json"))

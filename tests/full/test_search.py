"""One small search through all engines, as a user starts it, of which a trial and then the driver are killed with -9.

What it finds, shares and logs, how it goes on, and what trials leave behind, those that ASHA stops among them.
"""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slam_ray.cluster.local.head import LocalRay
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ExecutionConfig, load_config
from slam_ray.evaluation import generate_step, read_responses
from slam_ray.models.reference import tuned
from slam_ray.search import read_space, shared_steps
from slam_ray.selection import select_step
from slam_ray.store.making import make
from slam_ray.store.step import Artifacts
from slam_ray.store.storage import Storage
from slam_ray.training import train_step
from tests.meanwhile import meanwhile
from tests.nodes import at_work, kill_one
from tests.search import ROOT, finish, folder, records, search_result, start

pytestmark = pytest.mark.timeout(1800)

TRIALS = 5
# The rule selects layers 0, 1, 2 and 4 of the embedded default, of its first two layer 0, of less than one nothing. A
# rate of 0.1 destroys the model, so that a rung before the end is enough to see it. With this seed layer 0 alone,
# nothing, trial 0's training and a ruinous rate are drawn: the last when one of the four before it has ended, so that
# ASHA knows better.
SETTINGS: dict[str, Any] = {
    "search__sampler": "optuna",
    "search__seed": 67,
    "search__trials": TRIALS,
    "search__space": {
        "selection.max_layer_share": {"choice": [1.0, 0.25, 0.1]},
        "training.learning_rate": {"choice": [2e-3, 0.1]},
    },
}


@dataclass
class Searched:
    """What a search printed and ran.

    Attributes:
        storage: its own.
        before: output up to the kill of the driver, after two trials had ended.
        after: output of the rerun.
        at_any_time: kinds of processes of trials and of their trainings that there were.
        after_trials: those that there were still once all trials had ended, while the search went on with the test.
    """

    storage: Path
    before: str = ""
    after: str = ""
    at_any_time: set[str] = field(default_factory=set)
    after_trials: set[str] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """One engine, so that it is kept beside the two workers of a training."""
        return {**SETTINGS, "search__mlflow": f"sqlite:///{self.storage}/mlflow.db", "execution__engines": 1}


@pytest.fixture(scope="module")
def searched(ray_cluster: LocalRay, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    searched = Searched(tmp_path_factory.mktemp("search"))
    with meanwhile(lambda: searched.at_any_time.update(trials_at_work()), every_s=0.2):
        kill_a_trial_then_the_driver(searched)
        go_on(searched)
    return searched


def kill_a_trial_then_the_driver(searched: Searched) -> None:
    process = start(searched.storage, **searched.settings)
    assert process.stdout is not None
    ended, killed = set[str](), False
    for line in process.stdout:
        searched.before += line
        # At the first report the trial that fails has been tried to its end, and none was stopped: one that is killed
        # then is tried again.
        if not killed and ": layers " in line:
            assert "failed; the search goes on" in searched.before
            killed = kill_one("ImplicitFunc", wait_s=60)
        ended |= set(re.findall(r"^(trial-\d+): ended", line))
        if len(ended) == 2:
            break
    else:
        pytest.fail(searched.before)
    # Tune keeps its state every two seconds, and trials that are evaluated together end within one.
    until = time.monotonic() + 10
    while not known_at_the_kill(searched.storage) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    searched.before += process.communicate()[0]


def go_on(searched: Searched) -> None:
    process = start(searched.storage, **searched.settings)
    assert process.stdout is not None
    for line in process.stdout:
        searched.after += line
        if line.startswith("generate base"):
            deadline = time.monotonic() + 10
            while (kinds := trials_at_work()) and time.monotonic() < deadline:
                time.sleep(0.2)
            assert process.poll() is None, "the search must still go on"
            searched.after_trials = kinds
    assert process.wait() == 0, searched.after


def trials_at_work() -> set[str]:
    """Which of a trial's driver, its training's controller and workers there are."""
    titles = at_work()
    return {
        kind for kind in ("ImplicitFunc", "TrainController", "RayTrainWorker") if any(kind in title for title in titles)
    }


def known_at_the_kill(storage: Path) -> set[str]:
    """Trials that Tune's first session knew as ended."""
    try:
        state = json.loads(sorted((folder(storage) / "trials").glob("experiment_state-*.json"))[0].read_text())
    except (IndexError, json.JSONDecodeError):  # it is being written
        return set()
    trials = [json.loads(trial) for trial, _ in state["trial_data"]]
    return {trial["custom_trial_name"] for trial in trials if trial["status"] == "TERMINATED"}


def rows(searched: Searched) -> list[dict[str, Any]]:
    trials: list[dict[str, Any]] = search_result(searched.storage)["trials"]
    return trials


def share(row: dict[str, Any]) -> Any:
    return row["point"]["selection.max_layer_share"]


def rate(row: dict[str, Any]) -> float:
    return float(row["point"]["training.learning_rate"])


def test_every_trial_is_a_row_and_a_failed_one_says_why(searched: Searched) -> None:
    assert [row["number"] for row in rows(searched)] == list(range(TRIALS))
    trial_0 = rows(searched)[0]
    assert trial_0["point"] == {"selection.max_layer_share": "null", "training.learning_rate": 2e-3}
    assert trial_0["state"] == "finished"
    failed = [row for row in rows(searched) if row["state"] == "failed"]
    assert failed == [row for row in rows(searched) if share(row) == 0.1] != []
    said = "max_layer_share 0.1 of 8 layers leaves no language-specific layer; raise it\n\nwhat the rule selects by"
    assert all(said in row["error"] for row in failed)
    assert "failed: NothingSelected: no layer is selected: max_layer_share 0.1" in summary(searched)
    assert "engines stay up beside them" in searched.before


def summary(searched: Searched) -> str:
    return searched.after[searched.after.index("SMOKE SEARCH") :].strip()


def test_one_count_serves_all_and_equal_selections_are_one_training(searched: Searched) -> None:
    assert len(records(searched.storage, "count")) == 1
    assert "count: done before" in searched.after
    trial_0, *others = rows(searched)
    same = [row for row in others if share(row) == 1 and rate(row) == 2e-3]
    assert same
    assert all(row["same_training_as"] == 0 for row in same)
    assert all(row["layers"] == trial_0["layers"] == [0, 1, 2, 4] for row in same)
    assert all(row["non_english"] == trial_0["non_english"] for row in same)
    said = searched.before + searched.after
    # Which of them says so is the one whose first report comes second.
    assert re.search(r"^trial-\d: the layers and hyper-parameters of trial-\d: one training for both$", said, re.M)
    whole = [json.loads(record.read_text())["config"] for record in records(searched.storage, "train")]
    trained = sorted((each["layers"], each["training"]["learning_rate"]) for each in whole)
    finished = {(tuple(row["layers"]), rate(row)) for row in rows(searched) if row["state"] == "finished"}
    assert trained == sorted((list(layers), rate) for layers, rate in finished), (
        "a stopped trial was trained to its end"
    )


def test_trials_write_no_weights_but_those_that_they_tuned(searched: Searched) -> None:
    written = {file.parent.parent.parent.parent.name for file in searched.storage.rglob("*.safetensors")}
    assert written == {"train", "train_part"}


def test_the_winner_is_a_configuration_whose_training_is_done(searched: Searched, tmp_path: Path) -> None:
    storage = searched.storage
    result = search_result(storage)
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
    asked = re.findall(r"^(generate|score) trial \d demo: made", searched.after, re.MULTILINE)
    assert asked == sorted(asked) != [], "where there are two, they share the engine that one of them starts"
    ranges = any(row["state"] == "finished" and row["layers"] == [0] for row in result["trials"])
    drawn = {file.name for file in folder(storage).glob("*.png")}
    assert drawn == {"pareto.png", *(["layer_ranges.png"] if ranges else [])}


def test_tensorboard_and_mlflow_hold_every_trial(searched: Searched) -> None:
    from mlflow.tracking import MlflowClient

    storage = searched.storage
    logs = folder(storage) / "trials"
    assert {file.parent.name for file in logs.glob("trial-*/events.out.tfevents*")} >= {"trial-0", "trial-1"}
    client = MlflowClient(f"sqlite:///{storage}/mlflow.db")
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    # One that the kill cut off stays there beside that of the rerun.
    ended = {each.info.run_name: each for each in runs if each.info.status in ("FINISHED", "FAILED")}
    assert set(ended) == {f"trial-{number}" for number in range(TRIALS)}
    trial_0 = ended["trial-0"]
    assert trial_0.data.params == {"selection.max_layer_share": "null", "training.learning_rate": "0.002"}
    assert trial_0.data.metrics["non_english"] == rows(searched)[0]["non_english"]
    losses = [each.data.metrics["translation_loss"] for each in runs if "translation_loss" in each.data.metrics]
    assert losses, "whichever of two trials with one training was first has logged its loss"
    assert all(loss > 0 for loss in losses)
    assert "config.yaml" in {artifact.path for artifact in client.list_artifacts(trial_0.info.run_id)}


def test_a_finished_search_needs_no_ray(searched: Searched) -> None:
    environment = os.environ.get("RAY_ADDRESS")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", "127.0.0.1:1")
        again = finish(start(searched.storage, **searched.settings | {"execution__engines": 2}))
    assert os.environ.get("RAY_ADDRESS") == environment
    assert again.strip() == summary(searched)


def test_responses_in_the_kept_engine_are_those_of_a_fresh_one(searched: Searched, tmp_path: Path) -> None:
    storage = searched.storage
    config = load_config(str(folder(storage) / "best.yaml"), {})
    config = config.model_copy(update={"search": load_config("demo", {}).search})
    artifacts, (steps, last) = Artifacts(Storage.of(config)), shared_steps(config, read_space(config))
    with RayCluster(ExecutionConfig(engines=1)) as cluster:
        make([last], artifacts, cluster)
        shared = steps.made(artifacts)
        layers = artifacts.find(select_step(config.selection, shared.counts))
        training = artifacts.find(train_step(config, shared.pairs, shared.base, layers))
        validation, model = shared.validation, tuned(shared.base, training)
        responses = generate_step(config, validation.prompts, validation.problems, model)
        kept = artifacts.find(responses)
        assert kept.directory is not None
        fresh = Artifacts(Storage(tmp_path)).make(responses, cluster)
    assert read_responses(kept) == read_responses(fresh)


def test_a_trial_that_never_fits_is_an_error_at_the_start(ray_cluster: LocalRay, tmp_path: Path) -> None:
    output = finish(start(tmp_path, **SETTINGS, execution__training_workers=4), code=2)
    assert "a trial never fits this cluster: training wants 4 workers of 1 CPU each" in output
    assert "Traceback" not in output
    assert not list(tmp_path.rglob("record.json"))


def test_finished_trials_stay_finished(searched: Searched) -> None:
    ended = set(re.findall(r"^(trial-\d+): ended", searched.before, re.MULTILINE))
    kept = known_at_the_kill(searched.storage)
    assert kept, "nothing was kept"
    assert kept <= ended
    started_again = set(re.findall(r"^(trial-\d+): layers ", searched.after, re.MULTILINE))
    assert started_again
    assert kept.isdisjoint(started_again)


def test_a_killed_trial_is_tried_again(searched: Searched) -> None:
    again = re.findall(r"^(trial-\d+): its driver failed or was killed; tried again", searched.before, re.MULTILINE)
    failed = {f"trial-{row['number']}" for row in rows(searched) if row["state"] == "failed"}
    assert len([trial for trial in again if trial not in failed]) == 1


def test_the_sampler_knows_every_trial_that_it_drew(searched: Searched) -> None:
    newest = sorted((folder(searched.storage) / "trials").glob("searcher-state-*.pkl"))[-1]
    study = pickle.loads(newest.read_bytes())["_ot_study"]
    drawn = rows(searched)[1:]
    assert len(study.trials) == len(drawn)
    values = sorted(trial.value for trial in study.trials if trial.value is not None)
    assert values == pytest.approx(sorted(objective(row) for row in drawn if row["state"] != "failed"))


def objective(row: dict[str, Any]) -> float:
    if row["state"] == "stopped" or row["english_loss"] <= 1:
        return float(row["non_english"])
    return 1 - float(row["english_loss"])


def test_stopped_trials_give_workers_and_memory_back(searched: Searched) -> None:
    stopped = [row for row in rows(searched) if row["state"] == "stopped"]
    assert stopped
    assert all(row["share"] < 1 for row in stopped)
    # There is one slot, so each trial that came after a stopped one had its workers' place. And before the search ends,
    # with which all its processes would end, those of its trials are gone, though they can be seen at work before.
    assert searched.at_any_time == {"ImplicitFunc", "TrainController", "RayTrainWorker"}
    assert searched.after_trials == set()

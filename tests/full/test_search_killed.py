"""A search whose trial or driver is killed with -9 goes on, and trials that ASHA stops leave nothing behind."""

import contextlib
import json
import os
import pickle
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from slam_ray.pipeline.local_ray import LocalRay
from tests.nodes import kill_one
from tests.search import folder, found, records, start

pytestmark = pytest.mark.timeout(1800)

# A rate that destroys the model, so that a rung before the end is enough to see it.
RUINOUS = 0.1
SETTINGS: dict[str, Any] = {
    "search__sampler": "optuna",
    "search__trials": 6,
    "search__space": {
        "selection.layers": {"choice": ["0-0", "0-1", "0-2"]},
        "training.learning_rate": {"choice": [2e-4, RUINOUS]},
    },
}


@dataclass(frozen=True)
class Seen:
    """Processes of trials and of their trainings in the rerun.

    Attributes:
        any_time: all that there were.
        left: those that there are still once all trials have ended, while the search goes on with the test.
    """

    any_time: set[str]
    left: set[str]


@pytest.fixture(scope="module")
def disturbed(ray_cluster: LocalRay, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, Seen]:
    """Storage, output up to the kill once Tune has kept a finished trial, output of the rerun, and what it ran."""
    storage = tmp_path_factory.mktemp("killed")
    process = start(storage, **SETTINGS)
    assert process.stdout is not None
    before, ended, killed = "", set(), False
    for line in process.stdout:
        before += line
        if not killed and "trial-0: layers" in line:
            killed = kill_one("ImplicitFunc", wait_s=60)
        ended |= set(re.findall(r"^(trial-\d+): ended", line))
        if len(ended) == 2:
            break
    else:
        pytest.fail(before)
    # Tune keeps its state every two seconds, and trials that are evaluated together end within one.
    until = time.monotonic() + 10
    while not known_at_the_kill(storage) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    before += process.communicate()[0]
    return storage, before, *watched(start(storage, **SETTINGS))


def watched(process: "subprocess.Popen[str]") -> tuple[str, Seen]:
    """The output of a search to its end, and what was seen of its processes."""
    assert process.stdout is not None
    after, any_time, left = "", set[str](), None
    for line in process.stdout:
        after += line
        any_time |= at_work()
        if line.startswith("generate base"):
            deadline = time.monotonic() + 10
            while (left := at_work()) and time.monotonic() < deadline:
                time.sleep(0.2)
            assert process.poll() is None, "the search must still go on"
    assert process.wait() == 0, after
    assert left is not None, after
    return after, Seen(any_time, left)


def at_work() -> set[str]:
    """Which of a trial's driver, its training's controller and workers there are below this test's process."""
    found = set()
    for each in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            found.add(" ".join(each.cmdline()))
    return {
        kind for kind in ("ImplicitFunc", "TrainController", "RayTrainWorker") if any(kind in name for name in found)
    }


def test_finished_trials_stay_finished(disturbed: tuple[Path, str, str, Seen]) -> None:
    storage, before, after, _ = disturbed
    ended = set(re.findall(r"^(trial-\d+): ended", before, re.MULTILINE))
    kept = known_at_the_kill(storage)
    assert kept, "nothing was kept"
    assert kept <= ended
    started_again = set(re.findall(r"^(trial-\d+): layers ", after, re.MULTILINE))
    assert kept.isdisjoint(started_again)
    assert [row["number"] for row in found(storage)["trials"]] == list(range(6))
    assert "count: done before" in after


def test_a_killed_trial_is_tried_again(disturbed: tuple[Path, str, str, Seen]) -> None:
    storage, before, _, _ = disturbed
    again = re.findall(r"^(trial-\d+): its driver failed or was killed; tried again", before, re.MULTILINE)
    assert len(again) == 1
    assert {row["state"] for row in found(storage)["trials"]} <= {"finished", "stopped"}


def known_at_the_kill(storage: Path) -> set[str]:
    """Trials that Tune's first session knew as ended."""
    try:
        state = json.loads(sorted((folder(storage) / "trials").glob("experiment_state-*.json"))[0].read_text())
    except json.JSONDecodeError:  # it is being written
        return set()
    trials = [json.loads(trial) for trial, _ in state["trial_data"]]
    return {trial["custom_trial_name"] for trial in trials if trial["status"] == "TERMINATED"}


def test_the_sampler_knows_every_trial_that_it_drew(disturbed: tuple[Path, str, str, Seen]) -> None:
    storage, _, _, _ = disturbed
    newest = sorted((folder(storage) / "trials").glob("searcher-state-*.pkl"))[-1]
    study = pickle.loads(newest.read_bytes())["_ot_study"]
    values = sorted(trial.value for trial in study.trials)
    rows = [row for row in found(storage)["trials"] if row["number"]]
    assert len(values) == len(rows) == 5
    assert values == pytest.approx(sorted(objective(row) for row in rows))


def rate(row: dict[str, Any]) -> float:
    return float(row["point"]["training.learning_rate"])


def objective(row: dict[str, Any]) -> float:
    if row["state"] == "stopped" or row["english_loss"] <= 1:
        return float(row["non_english"])
    return 1 - float(row["english_loss"])


def test_stopped_trials_give_workers_and_memory_back(disturbed: tuple[Path, str, str, Seen]) -> None:
    storage, _, _, seen = disturbed
    stopped = [row for row in found(storage)["trials"] if row["state"] == "stopped"]
    assert stopped
    finished = [(row["layers"], rate(row)) for row in found(storage)["trials"] if row["state"] == "finished"]
    whole = [json.loads(record.read_text())["config"] for record in records(storage, "train")]
    trained = {(tuple(each["layers"]), each["training"]["learning_rate"]) for each in whole}
    assert trained == {(tuple(layers), each) for layers, each in finished}, "a stopped trial was trained to its end"
    assert all(row["share"] < 1 for row in stopped)
    # There is one slot, so each trial that came after a stopped one had its workers' place. And before the search ends,
    # with which all its processes would end, those of its trials are gone, though they can be seen at work before.
    assert seen.any_time == {"ImplicitFunc", "TrainController", "RayTrainWorker"}
    assert seen.left == set()

"""Counting through Ray Data: the same integers for any number of actors, and after any kill."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from slam_ray.activations import COUNTS_FILE, Counts, count_step, counting, read_counts
from slam_ray.cluster.local.head import LocalRay
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import InputError, PromptsConfig
from slam_ray.corpora import questions_step
from slam_ray.models.reference import base_model
from slam_ray.store.making import make
from slam_ray.store.step import Artifacts, known
from slam_ray.store.storage import Storage
from tests.configs import run_config
from tests.counting import LANGUAGES, questions, reference_counts, write_questions
from tests.models import loaded, tiny_llama

GROUPS = 8
WAIT_S = 240.0


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"), layers=3)


@pytest.fixture(scope="module")
def reference(llama: Path) -> Counts:
    model, family = loaded(llama, "float64"), base_model(str(llama)).family
    activated, tokens = reference_counts(model, family, questions(32), PromptsConfig(), GROUPS)
    return Counts(LANGUAGES, activated, tokens)


def made(folder: Path, llama: Path, actors: int) -> Counts:
    """Counts over 32 questions in four languages, one unit a group and language, in a storage in `folder`."""
    config = run_config(
        model={"path": str(llama), "dtype": "float64"},
        corpora={"questions": write_questions(folder / "questions.jsonl", questions(32)), "languages": LANGUAGES},
        activations={"questions": 32, "groups": GROUPS, "token_budget": 600},
        execution={"counting_actors": actors, "training_workers": 1, "engines": 1},
    )
    count = count_step(config, questions_step(config), known(base_model(str(llama))))
    artifacts = Artifacts(Storage(folder / "storage"))
    with RayCluster(config.execution) as cluster:
        make([count], artifacts, cluster)
    assert artifacts[count].result.questions == 32
    assert artifacts[count].result.layers == 3
    return read_counts(artifacts[count].file(COUNTS_FILE))


def assert_equal(counts: Counts, other: Counts) -> None:
    assert counts.languages == other.languages
    np.testing.assert_array_equal(counts.tokens, other.tokens)
    np.testing.assert_array_equal(counts.activated, other.activated)


def saved_units(folder: Path) -> list[Path]:
    """The files of finished units."""
    return list(folder.glob("storage/artifacts/count/*/scratch/*/*.npy"))


def wait_for_units(folder: Path, number: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while len(saved_units(folder)) < number:
        assert time.monotonic() < deadline, "no unit was finished"
        time.sleep(0.01)


def test_one_actor_counts_what_the_reference_counts(
    ray_cluster: LocalRay, tmp_path: Path, llama: Path, reference: Counts
) -> None:
    assert_equal(made(tmp_path, llama, actors=1), reference)


def test_a_killed_actor_changes_nothing(ray_cluster: LocalRay, tmp_path: Path, llama: Path, reference: Counts) -> None:
    from ray.util.state import list_actors

    finished_before: list[int] = []

    def kill() -> None:
        wait_for_units(tmp_path, 1)
        alive = list_actors(filters=[("state", "=", "ALIVE"), ("class_name", "=", "MapWorker(Map(CountingActor))")])
        pid = alive[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        finished_before.append(len(saved_units(tmp_path)))

    killer = threading.Thread(target=kill)
    killer.start()
    counts = made(tmp_path, llama, actors=2)
    killer.join()
    assert finished_before
    assert finished_before[0] < GROUPS * len(LANGUAGES), "the actor was killed after its work"
    assert_equal(counts, reference)


def test_a_killed_driver_keeps_its_finished_units(
    ray_cluster: LocalRay, tmp_path: Path, llama: Path, reference: Counts
) -> None:
    code = f"from tests.ray.test_counting import *; made(Path({str(tmp_path)!r}), Path({str(llama)!r}), actors=1)"
    with subprocess.Popen([sys.executable, "-c", code]) as driver:
        try:
            wait_for_units(tmp_path, 2)
        finally:
            driver.kill()
    saved = saved_units(tmp_path)
    assert len(saved) < GROUPS * len(LANGUAGES), "the driver was killed after its work"
    # One finished unit is emptied: the sum lacks it only if it is not counted again.
    emptied = np.load(saved[0])
    np.save(saved[0], np.zeros_like(emptied))
    counts = made(tmp_path, llama, actors=1)
    missing = reference.activated - counts.activated
    np.testing.assert_array_equal(missing[missing.any(axis=(2, 3))], emptied[None])


def test_no_thread_goes_on_if_a_unit_cannot_be_saved(
    ray_cluster: LocalRay, tmp_path: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread of Ray Data that still works when Ray is shut down would end the process before its error is said."""

    def fail(*arguments: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(counting, "save_unit", fail)
    before = {*threading.enumerate()}
    with pytest.raises(OSError, match="the disk is full") as error:
        made(tmp_path, llama, actors=1)
    started = [thread.name for thread in threading.enumerate() if thread not in before]
    assert error.tb is not None, "its frames are still there, as where Ray is shut down"
    assert [name for name in started if name != "tqdm_monitor"] == []


def test_what_an_actor_finds_wrong_arrives_as_it_was_said(
    ray_cluster: LocalRay, tmp_path: Path, llama: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file

    broken = Path(shutil.copytree(llama, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"].fill_(float("inf"))
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError) as caught:
        made(tmp_path, broken, actors=1)
    assert str(caught.value) == "the model's states are not finite in torch.float64; set another model.dtype"
    assert not re.search("Traceback|Exception|ERROR", "".join(capfd.readouterr()))

"""The main job on several nodes, its storage in a bucket: killed, submitted again, its storage away for a minute."""

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from slam_ray.store.s3 import S3Location
from slam_ray.store.storage import read_record
from tests.faults.runs import SETTINGS, artifact, assert_same
from tests.s3 import ENVIRONMENT, S3Server, keys, s3_server

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for every request
    with s3_server() as server:
        yield server


# As the guide of one machine gives it.
SUBMIT = ["ray", "job", "submit", "--entrypoint-resources", '{"driver": 1}', "--working-dir", ".", "--"]


def job(storage: object) -> list[str]:
    return ["python", "jobs/run_slam.py", "demo", "--storage", str(storage), *SETTINGS]


def as_a_user(home: Path) -> dict[str, Any]:
    """How a command is run, in an activated environment and with this home folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"HOME": str(home), "PATH": path}
    return {"cwd": ROOT, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


def start(storage: object, home: Path, submit: Sequence[str] = ()) -> "subprocess.Popen[str]":
    """The main job on two nodes of its own, all of which have the home folder `home`."""
    nodes = ["cluster/local_nodes.sh", "--workers", "2", "--"]
    return subprocess.Popen([*nodes, *submit, *job(storage)], **as_a_user(home))


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == code, output
    return output


def made(storage: S3Location, step: str) -> dict[str, S3Location]:
    """The files of the one artifact of a step."""
    homes = storage / "limit-24" / "artifacts" / step
    (home,) = [homes / name for name in homes.folders()]
    record = read_record(home)
    assert record is not None, f"{step} is not made"
    return {name: home / "attempts" / record["attempt"] / name for name in record["files"]}


def wait_until(reached: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 300
    while not reached():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


def test_the_main_job_on_a_bucket_and_two_nodes(server: S3Server, undisturbed: Path, tmp_path: Path) -> None:
    storage = keys("job")
    artifacts = storage / "limit-24" / "artifacts"

    def a_checkpoint_is_known() -> bool:
        known = [name for name in (artifacts / "train").files() if name.endswith("checkpoint_manager_snapshot.json")]
        return any(b"checkpoint_" in (artifacts / "train" / name).read_bytes() for name in known)

    killed = start(storage, tmp_path)
    wait_until(a_checkpoint_is_known, killed)
    for process in psutil.Process(killed.pid).children(recursive=True):
        if "run_slam.py" in " ".join(process.cmdline()):
            process.kill()
    killed.communicate(timeout=60)
    counted = {name: file.read_bytes() for name, file in made(storage, "count").items()}

    going_on = start(storage, tmp_path, submit=SUBMIT)
    wait_until(lambda: bool((artifacts / "generate").files()), going_on)
    server.leave()
    threading.Timer(60, server.come_back).start()
    output = finish(going_on)
    assert "count: done before" in output
    assert "train: going on after step" in output
    assert f"report: {storage}/limit-24/runs/demo/index.html" in output
    assert {name: file.read_bytes() for name, file in made(storage, "count").items()} == counted
    assert not [name for name in storage.files() if re.search(r"\.lock$|/scratch|\.seen-", name)]
    summary = json.loads((storage / "limit-24" / "runs" / "demo" / "summary.json").read_bytes())
    assert summary["selected_layers"] == [0, 1, 2, 4]
    assert {"count", "train", "report"} <= summary["seconds"].keys()
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in output
    assert not any(
        ENVIRONMENT["AWS_SECRET_ACCESS_KEY"].encode() in (storage / name).read_bytes() for name in storage.files()
    )

    assert "made in" not in finish(subprocess.Popen(job(storage), **as_a_user(tmp_path)))

    # A folder gives the same.
    for step, file in (("count", "counts.npz"), ("select", "selection.json")):
        assert (artifact(undisturbed, step) / file).read_bytes() == made(storage, step)[file].read_bytes()
    with storage.local_folder() as copy:
        assert_same(copy, undisturbed, accuracy=2)

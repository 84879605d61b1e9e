"""A Ray of one's own: closed to others, and gone with its starter, while another Ray on the machine lives on."""

import http.client
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from slam_ray.pipeline.local_ray import LocalRay

ROOT = Path(__file__).parent.parent.parent

# Starts a Ray whose worker leaves a process behind that has escaped to a session of its own.
STARTER = """
import subprocess, time
from slam_ray.pipeline.local_ray import local_ray
with local_ray(cpus=1) as head:
    import ray
    ray.init(logging_level=40)

    @ray.remote
    def leave_a_process():
        return subprocess.Popen(["sleep", "600"], start_new_session=True).pid

    print(ray.get(leave_a_process.remote()), head.environment["RAY_AUTH_TOKEN_PATH"], flush=True)
    time.sleep(600)
"""


def head_processes() -> list[psutil.Process]:
    """The guard of this session's Ray and all processes below it."""
    guards = [p for p in psutil.Process().children() if any(word.endswith("guard.py") for word in p.cmdline())]
    return [process for guard in guards for process in [guard, *guard.children(recursive=True)]]


def test_only_the_loopback_device_listens(ray_cluster: LocalRay) -> None:
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in head_processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize(("token", "answer"), [(None, 401), ("0" * 64, 403)])
def test_the_job_api_wants_the_token(ray_cluster: LocalRay, token: str | None, answer: int) -> None:
    connection = http.client.HTTPConnection(ray_cluster.dashboard.removeprefix("http://"))
    connection.request("GET", "/api/jobs/", headers={"Authorization": f"Bearer {token}"} if token else {})
    assert connection.getresponse().status == answer
    connection.close()
    token_file = Path(ray_cluster.environment["RAY_AUTH_TOKEN_PATH"])
    assert token_file.stat().st_mode & 0o077 == 0


def test_a_killed_starter_takes_its_ray_along_and_no_other(ray_cluster: LocalRay, tmp_path: Path) -> None:
    import ray

    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        cwd=ROOT,
        env=os.environ | {"HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    escaped, token_file = starter.stdout.readline().split()
    processes = [*psutil.Process(starter.pid).children(recursive=True), psutil.Process(int(escaped))]
    assert len(processes) > 5
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    psutil.wait_procs(processes, timeout=30)
    assert [process for process in processes if process.is_running()] == []
    assert not Path(token_file).parent.exists()
    assert not (tmp_path / ".ray").exists()  # where Ray would keep a token of the user's own

    @ray.remote
    def still_there() -> bool:
        return True

    assert ray.get(still_there.remote())

"""A local Ray, and nodes, are gone with their starter, however that ended, while another Ray of the machine is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from slam_ray.cluster.local.head import LocalRay

ROOT = Path(__file__).parent.parent.parent

# Starts a Ray whose worker leaves a process behind that has escaped to a session of its own.
STARTER = """
import subprocess, time
from slam_ray.cluster.local.head import local_ray
with local_ray(cpus=1) as head:
    import ray
    ray.init(logging_level=40)

    @ray.remote
    def leave_a_process():
        return subprocess.Popen(["sleep", "600"], start_new_session=True).pid

    print(ray.get(leave_a_process.remote()), head.environment["RAY_AUTH_TOKEN_PATH"], flush=True)
    time.sleep(600)
"""


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


def test_nodes_end_when_what_started_them_is_killed() -> None:
    show = 'dirname "$RAY_AUTH_TOKEN_PATH"; exec sleep 5'
    nodes = subprocess.Popen(
        [ROOT / "cluster" / "local_nodes.sh", "--workers", "1", "--", "bash", "-c", show],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert nodes.stdout is not None
    folder = nodes.stdout.readline().strip()
    started = psutil.Process(nodes.pid).children(recursive=True)
    assert sum("raylet" in process.name() for process in started) == 3
    nodes.send_signal(signal.SIGKILL)
    nodes.wait()
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []
    assert not Path(folder).exists()

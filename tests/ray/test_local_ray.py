"""A Ray of one's own is closed to others."""

import http.client
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from slam_ray.cluster.local.head import LocalRay


def head_processes() -> list[psutil.Process]:
    """The supervisor of this session's Ray and all processes below it."""
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    supervisors = [child for child in alive if any(word.endswith("supervisor.py") for word in child.cmdline())]
    return [process for supervisor in supervisors for process in [supervisor, *supervisor.children(recursive=True)]]


def test_only_the_loopback_device_listens(ray_cluster: LocalRay) -> None:
    listening = set()
    for process in head_processes():
        with suppress(psutil.NoSuchProcess):  # a worker that ended since it was listed
            connections = process.net_connections(kind="inet")
            listening |= {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


@pytest.mark.parametrize(("token", "answer"), [(None, 401), ("0" * 64, 403)])
def test_the_job_api_wants_the_token(ray_cluster: LocalRay, token: str | None, answer: int) -> None:
    connection = http.client.HTTPConnection(ray_cluster.dashboard.removeprefix("http://"))
    connection.request("GET", "/api/jobs/", headers={"Authorization": f"Bearer {token}"} if token else {})
    assert connection.getresponse().status == answer
    connection.close()
    token_file = Path(ray_cluster.environment["RAY_AUTH_TOKEN_PATH"])
    assert token_file.stat().st_mode & 0o077 == 0

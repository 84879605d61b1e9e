"""A Ray head of one's own on this machine, for as long as a `with` block lasts.

It listens on the loopback device alone, wants a token that only this user can read, has its own ports and folder, and
so lives beside any other Ray. A guard process ends it, and nothing else, however the starting process ends.
"""

import contextlib
import http.client
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slam_ray.config import InputError

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 240.0
LONGEST_FOLDER = 40  # Ray adds up to 64 characters for its sockets, whose paths may have 107 in all
OVERRIDING = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN")


@dataclass(frozen=True)
class LocalRay:
    """A running Ray head.

    Attributes:
        address: "host:port", what `ray.init` connects to.
        dashboard: URL of the dashboard and the job API.
        environment: variables with which a driver, or a client of the job API, reaches this head and no other; set in
            this process while the block lasts, and to be set in a child process.
    """

    address: str
    dashboard: str
    environment: dict[str, str]


@contextlib.contextmanager
def local_ray(cpus: int | None = None) -> Iterator[LocalRay]:
    """Start a Ray head, yield it once it takes work and jobs, and end it with all its processes.

    It ends with the block, and also when this process is interrupted, terminated or killed.

    Args:
        cpus: logical CPUs it offers; by default the machine's, but at least the two that two workers need.

    Raises:
        InputError: the folder for temporary files has too long a name for Ray's sockets.
        RuntimeError: Ray did not start; the message ends with what it said.
    """
    folder = Path(tempfile.mkdtemp(prefix="slam-ray-"))
    if len(str(folder)) > LONGEST_FOLDER:
        folder.rmdir()
        raise InputError(f"TMPDIR: {folder.parent} is too long a path for Ray's sockets; set TMPDIR to a shorter one")
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(secrets.token_hex(32))
    dashboard_port, client_port, *metrics_ports = _free_ports(4)
    shared = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # at 1 Ray turns 127.0.0.1 into the machine's outer address
        **_without_proxy(),
    }
    own = {
        "DASHBOARD_METRIC_PORT": str(metrics_ports[0]),
        "AUTOSCALER_METRIC_PORT": str(metrics_ports[1]),
        "RAY_raylet_start_wait_time_s": str(int(START_TIMEOUT_S)),  # a busy machine may need more than Ray's 60 s
    }
    command = [
        *(sys.executable, "-P", "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *(f"--node-ip-address={LOOPBACK}", "--port=0", f"--temp-dir={folder}"),
        *(f"--dashboard-host={LOOPBACK}", f"--dashboard-port={dashboard_port}", "--dashboard-agent-listen-port=0"),
        *(f"--ray-client-server-port={client_port}", f"--num-cpus={cpus or max(2, _cores())}"),
    ]
    with tempfile.TemporaryFile() as log:
        guard = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("guard.py")), str(folder), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={name: value for name, value in os.environ.items() if name not in OVERRIDING} | shared | own,
            start_new_session=True,  # a Ctrl-C at the terminal is for the starter, which then lets go in order
        )
        assert guard.stdin is not None
        try:
            address = _wait_until_ready(guard, folder, dashboard_port, token_file.read_text())
            if address is None:
                log.seek(0)
                said = log.read().decode(errors="replace")[-3000:]
                raise RuntimeError(f"Ray did not start (time limit {START_TIMEOUT_S:.0f} s); it said:\n{said}")
            dashboard = f"http://{LOOPBACK}:{dashboard_port}"
            # An empty RAY_AUTH_TOKEN counts as none, and hides one that the user may have set for another cluster.
            reach = {"RAY_ADDRESS": address, "RAY_API_SERVER_ADDRESS": dashboard, "RAY_AUTH_TOKEN": ""}
            with _reached_by_this_process(shared | reach):
                yield LocalRay(address, dashboard, shared | reach)
        finally:
            guard.stdin.close()
            guard.wait()


def _wait_until_ready(guard: subprocess.Popen[bytes], folder: Path, dashboard_port: int, token: str) -> str | None:
    """The head's address once all its processes have started and the dashboard answers; None if that fails."""
    address_file = folder / "ray_current_cluster"  # written last by `ray start`
    deadline = time.monotonic() + START_TIMEOUT_S
    while guard.poll() is None and time.monotonic() < deadline:
        if address_file.exists() and (address := address_file.read_text()) and _answers(dashboard_port, token):
            return address
        time.sleep(0.1)
    return None


def _answers(dashboard_port: int, token: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, dashboard_port, timeout=5)
    try:
        connection.request("GET", "/api/version", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def _reached_by_this_process(environment: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    _read_environment_again()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        _read_environment_again()


def _read_environment_again() -> None:
    """Ray reads these variables once, when it is imported or first used; something may have imported it before."""
    from ray._private import ray_constants
    from ray._raylet import AuthenticationTokenLoader, Config

    ray_constants.ENABLE_RAY_CLUSTER = os.environ.get(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR) != "0"
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


def _without_proxy() -> dict[str, str]:
    """Clients must reach the loopback device directly, also where a proxy is set for the rest."""
    names = ("NO_PROXY", "no_proxy")
    return {name: ",".join(filter(None, [os.environ.get(name), LOOPBACK, "localhost"])) for name in names}


def _cores() -> int:
    """Cores this process may use; a container's share of a large machine counts as the smaller one it is."""
    cores = len(os.sched_getaffinity(0))
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists() and (parts := quota.read_text().split())[0] != "max":
        cores = min(cores, -(-int(parts[0]) // int(parts[1])))
    return cores

"""A Ray head of one's own on this machine, for as long as a `with` block lasts.

It listens on the loopback device alone, wants a token that only this user can read, has its own ports and folder, and
so lives beside any other Ray. A guard process ends it, and nothing else, however the starting process ends.
"""

import contextlib
import http.client
import itertools
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from slam_ray.config import InputError

LOOPBACK = "127.0.0.1"
ATTEMPTS, START_TIMEOUT_S = 3, 180.0
LONGEST_FOLDER = 40  # Ray adds up to 64 characters for its sockets, whose paths may have 107 in all
# Set by the user for another cluster, these would win over what is said here. An empty RAY_AUTH_TOKEN counts as none.
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
        cpus: logical CPUs it offers; by default the machine's, but at least the two that two workers need, and one
            for the drivers of a search's trials, which wait most of the time. Without any it is the head of a cluster.

    Raises:
        InputError: the folder for temporary files has too long a name for Ray's sockets.
        RuntimeError: Ray did not start; the message ends with what it said.
    """
    # A start can fail by chance: a port is taken meanwhile, or on a busy machine a raylet's agent takes more than the
    # 15 s that are fixed in Ray.
    for _ in range(ATTEMPTS):
        with contextlib.ExitStack() as stack:
            folder = _folder()
            token_file = folder / "token"
            token_file.touch(mode=0o600)
            token_file.write_text(secrets.token_hex(32))
            ports = _free_ports(4)
            log = stack.enter_context(tempfile.TemporaryFile())
            dashboard = f"http://{LOOPBACK}:{ports[0]}"
            environment = _shared_environment(token_file, dashboard)
            guard = stack.enter_context(_guarded(folder, _command(folder, cpus, ports), environment, ports, log))
            address = _wait_until_ready(guard, folder, ports[0], token_file.read_text())
            if address is not None:
                environment |= {"RAY_ADDRESS": address, "RAY_AUTH_TOKEN": ""}
                stack.enter_context(_reached_by_this_process(environment))
                yield LocalRay(address, dashboard, environment)
                return
            log.seek(0)
            said = log.read().decode(errors="replace")[-3000:]
    raise RuntimeError(f"Ray did not start, {ATTEMPTS} times; the last time it said:\n{said}")


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="slam-ray-"))
    if len(str(folder)) > LONGEST_FOLDER:
        folder.rmdir()
        raise InputError(f"TMPDIR: {folder.parent} is too long a path for Ray's sockets; set TMPDIR to a shorter one")
    return folder


def _shared_environment(token_file: Path, dashboard: str) -> dict[str, str]:
    """What the head's processes and its clients both need to know."""
    # Clients must reach the loopback device directly, also where a proxy is set for the rest.
    direct = ("NO_PROXY", "no_proxy")
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        # Workers that ask for the state of actors would look for it among all Rays of the machine.
        "RAY_API_SERVER_ADDRESS": dashboard,
        # With statistics off, Ray still reports that they are off; to port 9, where nobody listens.
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_USAGE_STATS_REPORT_URL": f"http://{LOOPBACK}:9",
        # At 1 Ray turns 127.0.0.1 into the machine's outer address.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        **{name: ",".join(filter(None, [os.environ.get(name), LOOPBACK, "localhost"])) for name in direct},
    }


def _command(folder: Path, cpus: int | None, ports: Sequence[int]) -> list[str]:
    return [
        *(_python(folder), "-P", "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *(f"--num-cpus={max(2, _cores()) + 1 if cpus is None else cpus}", f"--temp-dir={folder}"),
        *(f"--node-ip-address={LOOPBACK}", f"--dashboard-host={LOOPBACK}", f"--dashboard-port={ports[0]}"),
        # 0 is any free port; by default every Ray of a machine would take the same ones.
        *("--port=0", "--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"),
        f"--ray-client-server-port={ports[1]}",
    ]


@contextlib.contextmanager
def local_node(head: LocalRay, cpus: int, resources: Mapping[str, float], inside: Sequence[str] = ()) -> Iterator[None]:
    """Another node of `head`'s cluster on this machine, ended with the block as the head is.

    Args:
        cpus: logical CPUs it offers.
        resources: others that it offers, by name.
        inside: a command that runs its node in surroundings of its own, such as a container's.

    Raises:
        RuntimeError: it did not join the cluster; the message ends with what it said.
    """
    folder = _folder()
    node = str(Path(__file__).with_name("node.py"))
    command = [*inside, _python(folder), "-P", node, head.address, str(cpus), json.dumps(dict(resources))]
    before = _nodes(head)
    with tempfile.TemporaryFile() as log, _guarded(folder, command, head.environment, _free_ports(4), log) as guard:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _nodes(head) - before:
            if guard.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                raise RuntimeError(f"no node joined Ray; it said:\n{log.read().decode(errors='replace')[-3000:]}")
            time.sleep(0.1)
        yield


def _nodes(head: LocalRay) -> set[bytes]:
    """Nodes of its cluster that are alive, by id."""
    from ray._raylet import GcsClient
    from ray.core.generated.gcs_pb2 import GcsNodeInfo  # type: ignore[attr-defined]

    infos = GcsClient(address=head.address).get_all_node_info(timeout=30).values()
    return {info.node_id for info in infos if info.state == GcsNodeInfo.ALIVE}


def _python(folder: Path) -> str:
    """This interpreter, under a name without spaces: Ray starts some of its processes by an unquoted shell command."""
    if " " not in sys.executable:
        return sys.executable
    link = folder / "venv"
    link.symlink_to(sys.prefix)
    return str(link / Path(sys.executable).relative_to(sys.prefix))


@contextlib.contextmanager
def _guarded(
    folder: Path, command: Sequence[str], environment: Mapping[str, str], ports: Sequence[int], log: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """The command under a guard that ends it with this block, or with this process."""
    inherited = {name: value for name, value in os.environ.items() if name not in OVERRIDING}
    # vLLM's engines leave a file each, killed processes what they were at; all that goes with the folder.
    (folder / "tmp").mkdir()
    own = {
        "TMPDIR": str(folder / "tmp"),
        "DASHBOARD_METRIC_PORT": str(ports[2]),
        "AUTOSCALER_METRIC_PORT": str(ports[3]),
    }
    guard = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("guard.py")), str(folder), *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env={**inherited, **environment, **own},
        start_new_session=True,  # a Ctrl-C at the terminal is for the starter, which then lets go in order
    )
    assert guard.stdin is not None
    try:
        yield guard
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
    """Ports below those that the kernel gives to outgoing connections, so that none of these takes one meanwhile."""
    ports = random.SystemRandom().sample(range(20_000, 32_768), 1000)
    return list(itertools.islice(filter(_is_free, ports), count))


def _is_free(port: int) -> bool:
    with socket.socket() as attempt:
        try:
            attempt.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _cores() -> int:
    """Cores this process may use; a container's share of a large machine counts as the smaller one it is."""
    cores = len(os.sched_getaffinity(0))
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists() and (parts := quota.read_text().split())[0] != "max":
        cores = min(cores, -(-int(parts[0]) // int(parts[1])))
    return cores

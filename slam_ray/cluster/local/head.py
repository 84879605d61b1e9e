"""A Ray head of one's own on this machine, for as long as a `with` block lasts, and further nodes of it.

It listens on the loopback device alone, wants a token that only this user can read, has its own ports and folder, and
so lives beside any other Ray. A supervisor ends it, and nothing else, however the starting process ends.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from joblib import cpu_count  # type: ignore[import-untyped]

from slam_ray.config import InputError

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
ATTEMPTS, START_TIMEOUT_S = 3, 180.0
LONGEST_FOLDER = 40  # Ray adds up to 64 characters for its sockets, whose paths may have 107 in all


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
        cpus: logical CPUs it offers; by default those that this process may use, but at least the two that two workers
            need, and one for the drivers of a search's trials, which mostly wait. A head of further nodes has 0.

    Raises:
        InputError: the folder for temporary files has too long a name for Ray's sockets.
        RuntimeError: Ray did not start; the message ends with what it said.
    """
    # A start can fail by chance: a port is taken meanwhile, or on a busy machine a raylet's agent takes more than the
    # 15 s that are fixed in Ray.
    for attempt in range(1, ATTEMPTS + 1):
        with contextlib.ExitStack() as stack:
            try:
                head = stack.enter_context(_head(max(2, cpu_count()) + 1 if cpus is None else cpus))
            except RuntimeError:
                if attempt == ATTEMPTS:
                    raise
                continue
            stack.enter_context(_environment_set(head.environment))
            yield head
            return


@contextlib.contextmanager
def _head(cpus: int) -> Iterator[LocalRay]:
    folder, token = _folder(), secrets.token_hex(32)
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(token)
    # By default every Ray of a machine would take the same ports; where 0 is given, Ray takes any free one.
    dashboard, client, *metrics = _free_ports(4)
    command = [
        *(_python(folder), "-P", "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *(f"--num-cpus={cpus}", f"--temp-dir={folder}"),
        *(f"--node-ip-address={LOOPBACK}", f"--dashboard-host={LOOPBACK}", f"--dashboard-port={dashboard}"),
        *("--port=0", "--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"),
        f"--ray-client-server-port={client}",
    ]
    url = f"http://{LOOPBACK}:{dashboard}"
    environment = _environment(token_file, url)
    metric_ports = dict(zip(("DASHBOARD_METRIC_PORT", "AUTOSCALER_METRIC_PORT"), map(str, metrics), strict=True))
    address_file = folder / "ray_current_cluster"  # written last by `ray start`

    def address() -> str | None:
        written = address_file.read_text() if address_file.exists() else ""
        return written if written and _answers(dashboard, token) else None

    with _supervised(folder, command, environment | metric_ports, address) as head:
        yield LocalRay(head, url, environment | {"RAY_ADDRESS": head})


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
    from slam_ray.cluster import ray_internals

    folder = _folder()
    node = [ray_internals.__file__, head.address, LOOPBACK, str(cpus), json.dumps(dict(resources))]
    command = [*inside, _python(folder), "-P", *node]
    before = ray_internals.alive_node_ids(head.address)

    def joined() -> set[bytes] | None:
        return ray_internals.alive_node_ids(head.address) - before or None

    with _supervised(folder, command, head.environment, joined):
        yield


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="slam-ray-"))
    if len(str(folder)) > LONGEST_FOLDER:
        folder.rmdir()
        raise InputError(f"TMPDIR: {folder.parent} is too long a path for Ray's sockets; set TMPDIR to a shorter one")
    return folder


def _environment(token_file: Path, dashboard: str) -> dict[str, str]:
    """What the head's processes and its clients both need to know."""
    # Clients must reach the loopback device directly, also where a proxy is set for the rest.
    direct = ("NO_PROXY", "no_proxy")
    return {
        # Those of another cluster would win over what is said here; Ray takes an empty one for none.
        "RAY_ADDRESS": "",
        "RAY_AUTH_TOKEN": "",
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


def _python(folder: Path) -> str:
    """This interpreter, under a name without spaces: Ray starts some of its processes by an unquoted shell command."""
    if " " not in sys.executable:
        return sys.executable
    link = folder / "venv"
    link.symlink_to(sys.prefix)
    return str(link / Path(sys.executable).relative_to(sys.prefix))


@contextlib.contextmanager
def _supervised(
    folder: Path, command: Sequence[str], environment: Mapping[str, str], ready: Callable[[], T | None]
) -> Iterator[T]:
    """Run the command under a supervisor, which ends it and removes its folder with this block, or with this process.

    Yields what `ready` returns, once that is not None.

    Raises:
        RuntimeError: it ended before, or was not ready in time; the message ends with what it printed.
    """
    # vLLM's engines leave a file each, killed processes what they were at; all that goes with the folder.
    (folder / "tmp").mkdir()
    with tempfile.TemporaryFile() as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("supervisor.py")), str(folder), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment, "TMPDIR": str(folder / "tmp")},
            start_new_session=True,  # a Ctrl-C at the terminal is for the starter, which then closes in order
        )
        assert supervisor.stdin is not None
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while (value := ready()) is None:
                if supervisor.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"Ray did not start; it said:\n{log.read().decode(errors='replace')[-3000:]}")
                time.sleep(0.1)
            yield value
        finally:
            supervisor.stdin.close()
            supervisor.wait()


def _answers(dashboard_port: int, token: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, dashboard_port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", "/api/version", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status == http.client.OK
    return False


@contextlib.contextmanager
def _environment_set(environment: Mapping[str, str]) -> Iterator[None]:
    """This process reaches the head in the block, also where something has imported Ray before."""
    from slam_ray.cluster.ray_internals import read_environment_again

    before = {name: os.environ[name] for name in environment if name in os.environ}
    os.environ.update(environment)
    read_environment_again()
    try:
        yield
    finally:
        for name in environment:
            del os.environ[name]
        os.environ.update(before)
        read_environment_again()


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

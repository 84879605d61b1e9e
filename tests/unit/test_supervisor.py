"""The supervisor ends a whole process tree, orphans included, whichever way its starter or the command ends."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from slam_ray.cluster.local import supervisor

# A parent with a child in the same group and an orphan in a session of its own; says their ids.
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen(["sleep", "300"])
orphan = subprocess.run(
    [sys.executable, "-c",
     "import subprocess; print(subprocess.Popen(['sleep', '300'], start_new_session=True, stdout=-3).pid)"],
    stdout=subprocess.PIPE, text=True).stdout.strip()
print(child.pid, orphan, flush=True)
time.sleep(float(sys.argv[1]))
"""


def start(folder: Path, seconds: float) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    process = subprocess.Popen(
        [sys.executable, supervisor.__file__, str(folder), sys.executable, "-c", FAMILY, str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    family = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
    return process, [*family, *psutil.Process(process.pid).children()]


def close_pipe(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def terminate(process: subprocess.Popen[str]) -> None:
    process.terminate()


def nothing(process: subprocess.Popen[str]) -> None:
    """The command ends by itself."""


@pytest.mark.parametrize(("end", "seconds"), [(close_pipe, 300), (terminate, 300), (nothing, 1)])
def test_all_descendants_and_the_folder_are_gone(
    tmp_path: Path, end: Callable[[subprocess.Popen[str]], None], seconds: float
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    process, family = start(folder, seconds)
    assert len(family) >= 3
    end(process)
    process.wait(timeout=20)
    assert [each for each in family if each.is_running()] == []
    assert not folder.exists()


def test_a_command_that_leaves_no_process_behind(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, supervisor.__file__, str(folder), "true"], stdin=subprocess.PIPE)
    assert process.wait(timeout=20) == 0
    assert not folder.exists()


def test_the_command_dies_with_a_killed_supervisor(tmp_path: Path) -> None:
    process, family = start(tmp_path, 300)
    command = next(each for each in family if each.name().startswith("python"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while command.is_running() and command.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for each in family:
        if each.is_running():
            each.kill()

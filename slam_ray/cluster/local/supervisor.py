"""Tie a command's whole process tree to the process that started it: `python supervisor.py FOLDER COMMAND...`.

Standard input is a pipe that the starter holds open. When it closes, in whatever way the starter ended, or when the
command ends by itself, everything that the command ever started is killed and FOLDER is removed.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
POLL_S = 0.5


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process; raises OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def reap() -> list[int]:
    """Collect the children that have ended; their ids."""
    ended = []
    with contextlib.suppress(ChildProcessError):  # raised once there is no child left
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            ended.append(pid)
    return ended


def end_descendants() -> None:
    """Kill all descendants. As a subreaper this process inherits every orphan among them, so none can get away."""
    while descendants := psutil.Process().children(recursive=True):
        for process in descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        reap()
        time.sleep(0.02)


def main(folder: str, command: list[str]) -> None:
    """Run the command until it ends or the pipe closes, then end all that it started."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        # Should the supervisor itself be killed with -9, Ray's head dies with it and takes its own children along.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - there is one thread here
        )
        while process.pid not in reap():
            if select.select([sys.stdin], [], [], POLL_S)[0]:
                break
    finally:
        end_descendants()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

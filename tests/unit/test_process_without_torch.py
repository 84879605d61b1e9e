"""A call in a process without torch: what it returns and raises, and that torch's presence makes it needless."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
from slam_ray.config import InputError
from slam_ray.models.process_without_torch import call_without_torch
from tests.unit.test_process_without_torch import finds_torch, refuses, stops

if __name__ == "__main__":
    process, torch = call_without_torch(finds_torch)
    assert process != os.getpid() and not torch and "torch" not in sys.modules
    for function, kind, said in ((refuses, InputError, "so"), (stops, RuntimeError, "stops ended with exit code 3")):
        try:
            call_without_torch(function)
        except kind as error:
            assert str(error) == said
        else:
            raise AssertionError(function)
    sys.modules["torch"] = sys
    assert call_without_torch(finds_torch)[0] == os.getpid()
"""


def finds_torch() -> tuple[int, bool]:
    try:
        import torch
    except ImportError:
        return os.getpid(), False
    return os.getpid(), torch is not None


def refuses() -> None:
    from slam_ray.config import InputError

    raise InputError("so")


def stops() -> None:
    os._exit(3)


def test_what_comes_back(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, str(tmp_path / "script.py")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")

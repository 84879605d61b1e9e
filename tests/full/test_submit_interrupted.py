"""Ctrl-C in `make demo` stops the job and the Ray that was started for it."""

import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.jobs import small_checkout, submit


def until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"never printed {text!r}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_nothing_lives_on(tmp_path: Path, number: signal.Signals, code: int) -> None:
    checkout = small_checkout(tmp_path / "checkout")
    process = submit(checkout, "600", "0")
    until(process, "second 0")
    started = psutil.Process(process.pid).children(recursive=True)
    assert any("count.py" in " ".join(each.cmdline()) for each in started)
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    psutil.wait_procs(started, timeout=30)
    assert [each for each in started if each.is_running()] == []
    assert not (checkout / "done").exists()

"""`slam-ray`: its commands, and what it says without one; the help of each is there before anything heavy."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slam_ray.cli import COMMANDS, main

HEAVY = {"deepspeed", "ray", "torch", "transformers", "vllm"}


def test_the_program_that_is_installed_lists_its_commands() -> None:
    program = Path(sys.executable).with_name("slam-ray")
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(f"  {name} " in said for name in ("run", "evaluate", "search", "select", "score", "artifacts"))
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == said


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_nothing_heavy(command: str) -> None:
    code = f"import sys\nfrom slam_ray.cli import main\ntry: main(['{command}', '--help'])\nexcept SystemExit: pass\n"
    code += f"assert not {HEAVY} & set(sys.modules), set(sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert f"slam-ray {command}" in run.stdout


def test_a_dry_run_of_a_run_with_all_to_do_needs_nothing_heavy(tmp_path: Path) -> None:
    """Arrow, which writes and reads the prepared texts, imports pandas where it is not kept from it."""
    argv = ["run", "demo", "--dry-run", "--storage", str(tmp_path)]
    code = f"import sys\nfrom slam_ray.cli import main\nassert main({argv}) == 3\n"
    code += f"assert not {HEAVY | {'pandas'}} & set(sys.modules), set(sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_a_wrong_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rnu", "demo"]) == 2
    assert capsys.readouterr().err == "error: unknown command 'rnu': did you mean 'run'?\n"


def test_sigterm_stops_a_command_also_where_nobody_reads_what_it_says() -> None:
    code = """
import sys, time, types
command = sys.modules["slam_ray.cli.run"] = types.ModuleType("slam_ray.cli.run")
command.main = lambda arguments: (print("at work", flush=True), time.sleep(600))
from slam_ray.cli import main
sys.exit(main(["run"]))
"""
    working = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert working.stdout is not None
    assert working.stderr is not None
    assert working.stdout.readline() == b"at work\n"
    working.stderr.close()
    working.send_signal(signal.SIGTERM)
    assert working.wait(timeout=60) == 128 + signal.SIGTERM

"""A search on a few records of the embedded default, as a user starts it, and what lies in its storage afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LIMIT = 16
# Steps of one pair each: all of a training's time is starting it, and a rung is a whole number of steps.
SETTINGS = {
    "limit": LIMIT,
    "activations.questions": 8,
    "activations.groups": 4,
    "training.batch_size": 24,
    "execution.checkpoint_steps": 2,
    "search.rungs": 2,
    "search.rung_problems": 4,
}


def start(storage: Path, **settings: Any) -> "subprocess.Popen[str]":
    """Start jobs/search_layers.py there; a setting `search__trials=3` is `--search.trials 3`."""
    values = {**SETTINGS, **{key.replace("__", "."): value for key, value in settings.items()}}
    words = [word for key, value in values.items() for word in (f"--{key}", _text(value))]
    return subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "jobs" / "search_layers.py"), "demo", "--storage", str(storage), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ),
    )


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    """Its output, once it has ended with `code`."""
    output, _ = process.communicate(timeout=1500)
    assert process.returncode == code, output
    return output


def folder(storage: Path) -> Path:
    """The search's own."""
    return storage / f"limit-{LIMIT}" / "searches" / "demo"


def search_result(storage: Path) -> dict[str, Any]:
    """What `search.json` holds."""
    result: dict[str, Any] = json.loads((folder(storage) / "search.json").read_text())
    return result


def records(storage: Path, step: str) -> list[Path]:
    """The finished artifacts of a step."""
    return sorted((storage / f"limit-{LIMIT}" / "artifacts" / step).glob("*/record.json"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

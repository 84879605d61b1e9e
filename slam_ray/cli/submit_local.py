"""Run a job of this checkout on a Ray of its own: slam-ray submit-local -- python jobs/run_slam.py demo

The job is submitted as to any cluster, its log streamed, its exit code returned. Bad input is said before Ray starts;
if nothing is left to do, Ray is not started at all.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from slam_ray.config import ALL_DONE, TO_DO, InputError
from slam_ray.config.load import STORAGE_VARIABLE

CHECKOUT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str]) -> int:
    """Run the job where it has something to do; returns its exit code."""
    if {"-h", "--help"} & set(argv[:1]):
        print(__doc__)
        return 0
    if argv[:2] != ["--", "python"] or len(argv) < 3:
        raise InputError("expected: slam-ray submit-local -- python jobs/<job>.py ARGUMENTS")
    command = [sys.executable, *argv[2:]]
    os.environ.setdefault(STORAGE_VARIABLE, str(CHECKOUT))  # the job itself runs in a copy of the checkout
    code = subprocess.run([*command, "--dry-run"], cwd=CHECKOUT, check=False).returncode
    if code == ALL_DONE:
        return subprocess.run(command, cwd=CHECKOUT, check=False).returncode
    from slam_ray.cluster.local.job import run_as_local_job

    return run_as_local_job(command, CHECKOUT) if code == TO_DO else code

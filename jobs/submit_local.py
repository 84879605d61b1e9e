"""Run a job of this checkout on a Ray of its own: python jobs/submit_local.py -- python jobs/run_slam.py demo

The job is submitted as to any cluster, its log streamed, its exit code returned. Bad input is said before Ray starts;
if nothing is left to do, Ray is not started at all.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from slam_ray.config import ALL_DONE, TO_DO, InputError, job
from slam_ray.config.load import STORAGE_VARIABLE
from slam_ray.pipeline.local_job import run_as_local_job

CHECKOUT = Path(__file__).resolve().parent.parent


@job
def main(argv: Sequence[str]) -> int:
    if argv[:2] != ["--", "python"] or len(argv) < 3:
        raise InputError(f"expected: {sys.argv[0]} -- python jobs/<job>.py ARGUMENTS")
    command = [sys.executable, *argv[2:]]
    os.environ.setdefault(STORAGE_VARIABLE, str(CHECKOUT))  # the job itself runs in a copy of the checkout
    code = subprocess.run([*command, "--dry-run"], cwd=CHECKOUT, check=False).returncode
    if code == ALL_DONE:
        return subprocess.run(command, cwd=CHECKOUT, check=False).returncode
    return run_as_local_job(command, CHECKOUT) if code == TO_DO else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Run a job of this checkout on a Ray of its own: python jobs/submit_local.py -- python jobs/run_slam.py demo

The job is submitted as to any cluster, its log streamed, its exit code returned. Bad input is said before Ray starts;
if nothing is left to do, Ray is not started at all.
"""

import asyncio
import logging
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from slam_ray.config import InputError, job
from slam_ray.config.load import STORAGE_VARIABLE
from slam_ray.pipeline.local_ray import local_ray

CHECKOUT = Path(__file__).resolve().parent.parent
ALL_DONE, TO_DO = 0, 3  # exit codes of a job's --dry-run
LEFT_OUT = [".git", ".venv", "runs", "artifacts", "limit-*", "shared", "*.egg-info", "__pycache__", ".*_cache"]


@job
def main(argv: Sequence[str]) -> int:
    if argv[:2] != ["--", "python"] or len(argv) < 3:
        raise InputError(f"expected: {sys.argv[0]} -- python jobs/<job>.py ARGUMENTS")
    command = [sys.executable, *argv[2:]]
    os.environ.setdefault(STORAGE_VARIABLE, str(CHECKOUT))  # the job itself runs in a copy of the checkout
    code = subprocess.run([*command, "--dry-run"], cwd=CHECKOUT, check=False).returncode
    if code == ALL_DONE:
        return subprocess.run(command, cwd=CHECKOUT, check=False).returncode
    if code != TO_DO:
        return code
    try:
        return submit(command)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", flush=True)
        return 130


def submit(command: Sequence[str]) -> int:
    """Run `command` as a job of a new local Ray, printing its log; returns its exit code."""
    with local_ray() as head:
        from ray.job_submission import JobSubmissionClient

        print(f"Ray dashboard: {head.dashboard} (token: {head.environment['RAY_AUTH_TOKEN_PATH']})", flush=True)
        client = JobSubmissionClient(head.dashboard)
        logging.getLogger("ray").setLevel(logging.WARNING)  # the last line printed is the job's
        job_id = client.submit_job(
            entrypoint=shlex.join(command), runtime_env={"working_dir": str(CHECKOUT), "excludes": LEFT_OUT}
        )

        async def follow() -> None:
            async for text in client.tail_job_logs(job_id):
                print(text, end="", flush=True)

        try:
            asyncio.run(follow())
        except KeyboardInterrupt:
            client.stop_job(job_id)
            while not client.get_job_status(job_id).is_terminal():
                time.sleep(0.2)
            raise
        code = client.get_job_info(job_id).driver_exit_code
        return 1 if code is None else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

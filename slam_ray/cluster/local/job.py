"""A command of a checkout as a job of a Ray of its own, submitted as to any cluster."""

import asyncio
import logging
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from slam_ray.cluster.local.head import local_ray


def run_as_local_job(command: Sequence[str], checkout: Path) -> int:
    """Run `command` in a copy of `checkout` as a job of a new local Ray, printing its log; returns its exit code.

    A KeyboardInterrupt stops the job, then the Ray.
    """
    with local_ray() as head:
        from ray.job_submission import JobSubmissionClient

        print(f"Ray dashboard: {head.dashboard} (token: {head.environment['RAY_AUTH_TOKEN_PATH']})", flush=True)
        logging.disable(logging.WARNING)  # what is printed is the job's log, and its last line the job's last
        client = JobSubmissionClient(head.dashboard)
        job_id = client.submit_job(entrypoint=shlex.join(command), runtime_env={"working_dir": str(checkout)})

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

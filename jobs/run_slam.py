"""Run SLAM on one model: find the layers that handle the input language, tune their FFNs, measure what changed.

Finished steps are kept and found again, so the same command after a crash goes on where the work stopped. It uses the
Ray of RAY_ADDRESS (set inside `ray job submit`), or else starts a local one and ends it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from slam_ray.config import InputError, job, load_config, parse_command
from slam_ray.pipeline.runs import Run
from slam_ray.recipes.slam import slam_stages
from slam_ray.recipes.summary import all_scores, summarize
from slam_ray.reporting.selection import keep_figures
from slam_ray.selection import NothingSelected


@job
def main(argv: Sequence[str]) -> int:
    command = parse_command(argv, "jobs/run_slam.py", __doc__)
    config = load_config(command.source, command.overrides)
    run = Run(config, slam_stages(config))
    if command.dry_run:
        return run.dry_run()
    try:
        done = run.carry_out()
    except NothingSelected as nothing:
        raise InputError(f"{nothing}\n\nfigures: {' '.join(map(str, keep_figures(nothing.result, run)))}") from None
    report = done["report"]
    page = run.keep(report.file(report.result.page))
    run.finish(all_scores(config, done), summarize(config, done, run.storage, page))
    print(f"\n{report.result.table}\n\nreport: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

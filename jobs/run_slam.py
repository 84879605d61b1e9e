"""Run SLAM on one model: find the layers that handle the input language, tune their FFNs, measure what changed.

Finished steps are kept and found again, so the same command after a crash goes on where the work stopped. It uses the
Ray of RAY_ADDRESS (set inside `ray job submit`), or else starts a local one and ends it.
"""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from slam_ray.config import ALL_DONE, TO_DO, job, load_config, parse_command
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.runs import RunDirectory
from slam_ray.pipeline.stages import describe, plan, run, try_out
from slam_ray.pipeline.storage import Storage
from slam_ray.recipes.slam import corpora_stages, slam_stages
from slam_ray.recipes.summary import all_scores, summarize

SWITCHES = {"dry-run": "say which steps are done or to do; exit code 0 if all are done, 3 if not"}


@job
def main(argv: Sequence[str]) -> int:
    command = parse_command(argv, "jobs/run_slam.py", __doc__, SWITCHES)
    config = load_config(command.source, command.overrides)
    storage = Storage.of(config)
    stages = slam_stages(config)
    planned = plan(stages, storage)
    directory = RunDirectory(config, storage)
    directory.check(planned)
    if "dry-run" in command.switches:
        try_out(corpora_stages(config), storage)
        print(describe(planned))
        return ALL_DONE if all(stage.state == "done" for stage in planned) else TO_DO
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory.start()
    with Context(config.execution) as context:
        done = run(stages, storage, context, directory.add)
    report = done["report"]
    page = directory.keep(report.file(report.result.page))
    directory.finish(all_scores(config, done), summarize(config, done, storage, page))
    print(f"\n{report.result.table}\n\nreport: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

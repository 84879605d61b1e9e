"""Evaluate a model: have it answer benchmarks in vLLM engines, and score the answers.

MODEL is a folder that holds a checkpoint, or a name on the Hugging Face Hub. A published benchmark is fetched from the
Hub, or read where --corpora.benchmarks.NAME.path says; --corpora.benchmarks.NAME FILE.jsonl adds one of your own.
Responses that the main job or an earlier evaluation made are found, not made again.
"""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from slam_ray.config import ALL_DONE, TO_DO, job, parse_command
from slam_ray.corpora.published import BENCHMARKS
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.runs import RunDirectory
from slam_ray.pipeline.stages import describe, plan, run, try_out
from slam_ray.pipeline.storage import Storage
from slam_ray.recipes.evaluate import evaluation_config, evaluation_stages, problems_known
from slam_ray.recipes.slam import BASE
from slam_ray.recipes.summary import summarize_evaluation
from slam_ray.reporting.table import scores_table

SWITCHES = {"dry-run": "say which steps are done or to do; exit code 0 if all are done, 3 if not"}
OPTIONS = {"benchmarks": f"published benchmarks, separated by commas: {','.join(BENCHMARKS)}"}


@job
def main(argv: Sequence[str]) -> int:
    command = parse_command(argv, "jobs/evaluate_model.py", __doc__, SWITCHES, OPTIONS, "MODEL")
    config = evaluation_config(command.source, command.options.get("benchmarks", ""), command.overrides)
    storage = Storage.of(config)
    stages = evaluation_stages(config)
    planned = plan(stages, storage)
    directory = RunDirectory(config, storage)
    directory.check(planned)
    if "dry-run" in command.switches:
        try_out(problems_known(config), storage)
        print(describe(planned))
        return ALL_DONE if all(stage.state == "done" for stage in planned) else TO_DO
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory.start()
    with Context(config.execution) as context:
        done = run(stages, storage, context, directory.add)
    scores = {name: done[f"score {BASE} {name}"].result for name in config.corpora.benchmarks}
    if config.limit is not None:
        print(f"\nSMOKE RUN on the first {config.limit} problems of each language: not a result")
    print("\n" + "\n\n".join(scores_table(name, each) for name, each in scores.items()))
    written = {name: each.model_dump(mode="json") for name, each in scores.items()}
    print(f"\nscores: {directory.finish(written, summarize_evaluation(config, done, storage))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

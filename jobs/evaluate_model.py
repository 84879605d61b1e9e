"""Evaluate a model: have it answer benchmarks in vLLM engines, and score the answers.

MODEL is a folder that holds a checkpoint, or a name on the Hugging Face Hub. A published benchmark is fetched from the
Hub, or read where --corpora.benchmarks.NAME.path says; --corpora.benchmarks.NAME FILE.jsonl adds one of your own.
Responses that the main job or an earlier evaluation made are found, not made again.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from slam_ray.config import job, parse_command
from slam_ray.corpora.published import BENCHMARKS
from slam_ray.pipeline.runs import Run
from slam_ray.recipes.evaluate import evaluation_config, evaluation_stages
from slam_ray.recipes.slam import BASE
from slam_ray.recipes.summary import summarize_evaluation
from slam_ray.reporting.table import scores_table

OPTIONS = {"benchmarks": f"published benchmarks, separated by commas: {','.join(BENCHMARKS)}"}


@job
def main(argv: Sequence[str]) -> int:
    command = parse_command(argv, "jobs/evaluate_model.py", __doc__, OPTIONS, "MODEL")
    config = evaluation_config(command.source, command.options.get("benchmarks", ""), command.overrides)
    run = Run(config, evaluation_stages(config))
    if command.dry_run:
        return run.dry_run()
    done = run.carry_out()
    scores = {name: done[f"score {BASE} {name}"].result for name in config.corpora.benchmarks}
    if config.limit is not None:
        print(f"\nSMOKE RUN on the first {config.limit} problems of each language: not a result")
    print("\n" + "\n\n".join(scores_table(name, each) for name, each in scores.items()))
    written = {name: each.model_dump(mode="json") for name, each in scores.items()}
    print(f"\nscores: {run.finish(written, summarize_evaluation(config, done, run.storage))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Evaluate a model: have it answer benchmarks in vLLM engines, and score the answers.

MODEL is a folder that holds a checkpoint, or a name on the Hugging Face Hub. A published benchmark is fetched from the
Hub, or read where --corpora.benchmarks.NAME.path says; --corpora.benchmarks.NAME FILE.jsonl adds one of your own.
Responses that a run or an earlier evaluation made are found, not made again.
"""

from collections.abc import Sequence

from slam_ray.cli.arguments import parse_run
from slam_ray.corpora.hub_benchmarks import BENCHMARKS


def main(argv: Sequence[str]) -> int:
    """Make the scores and print a table of each benchmark."""
    options = {"benchmarks": f"published benchmarks, separated by commas: {','.join(BENCHMARKS)}"}
    arguments = parse_run(argv, "evaluate", __doc__, "MODEL", options)
    benchmarks = arguments.values.pop("benchmarks", "")
    from slam_ray.cluster.ray_cluster import RayCluster
    from slam_ray.recipes.evaluate import evaluation_config, evaluation_steps
    from slam_ray.recipes.summary import summarize_evaluation
    from slam_ray.reporting.table import scores_table
    from slam_ray.store.runs import Run

    config = evaluation_config(arguments.source, benchmarks, arguments.values)
    steps = evaluation_steps(config)
    run = Run(config, list(steps.values()))
    with RayCluster(config.execution, storage=run.storage.root) as cluster:
        if arguments.dry_run:
            return run.dry_run(cluster)
        artifacts = run.make(cluster)
    scores = {name: artifacts[step].result for name, step in steps.items()}
    if config.limit is not None:
        print(f"\nSMOKE RUN on the first {config.limit} problems of each language: not a result")
    print("\n" + "\n\n".join(scores_table(name, each) for name, each in scores.items()))
    written = {name: each.model_dump(mode="json") for name, each in scores.items()}
    print(f"\nscores: {run.finish(written, summarize_evaluation(config, steps, artifacts))}")
    return 0

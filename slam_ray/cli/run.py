"""Run SLAM on one model: find the layers that handle the input language, tune their FFNs, measure what changed.

Finished steps are kept and found again, so the same command after a crash goes on where the work stopped. It uses the
Ray of RAY_ADDRESS (set inside `ray job submit`), or else starts a local one and ends it.
"""

from collections.abc import Sequence

from slam_ray.cli.arguments import parse_run
from slam_ray.config import InputError, load_config


def main(argv: Sequence[str]) -> int:
    """Make the run's report and print its table."""
    arguments = parse_run(argv, "run", __doc__)
    config = load_config(arguments.source, arguments.values)
    from slam_ray.cluster.ray_cluster import RayCluster
    from slam_ray.models.process_without_torch import prepare_process_without_torch
    from slam_ray.recipes.slam import slam
    from slam_ray.recipes.summary import all_scores, summarize
    from slam_ray.reporting.selection import keep_figures
    from slam_ray.selection import NothingSelected
    from slam_ray.store.runs import Run

    steps = slam(config)
    run = Run(config, [steps.report])
    with RayCluster(config.execution, storage=run.storage.root) as cluster:
        if arguments.dry_run:
            if not run.finished:
                prepare_process_without_torch()
            return run.dry_run(cluster)
        try:
            artifacts = run.make(cluster)
        except NothingSelected as nothing:
            figures = " ".join(map(str, keep_figures(nothing.result, run)))
            raise InputError(f"{nothing}\n\nfigures: {figures}") from None
    report = artifacts[steps.report]
    page = run.keep(report.file(report.result.page))
    run.finish(all_scores(steps, artifacts), summarize(config, steps, artifacts, page))
    print(f"\n{report.result.table}\n\nreport: {page}")
    return 0

"""Search for the layers, and the hyper-parameters, that are best for one model, with Ray Tune.

Trial 0 is the configuration's own selection; `search:` in the configuration says what else is tried. Everything
finished is kept and found again, so the same command after a crash goes on where the search stopped.
"""

from collections.abc import Sequence

from slam_ray.cli.arguments import parse_run
from slam_ray.config import ALL_DONE, TO_DO, load_config


def main(argv: Sequence[str]) -> int:
    """Make the trials and print their table."""
    arguments = parse_run(argv, "search", __doc__)
    config = load_config(arguments.source, arguments.values)
    from slam_ray.cluster.ray_cluster import RayCluster
    from slam_ray.reporting.search import search_table
    from slam_ray.search import SearchDirectory, read_space, search, shared_steps
    from slam_ray.store.making import check_inputs, describe, plan
    from slam_ray.store.storage import Storage

    space = read_space(config)
    storage = Storage.of(config)
    directory = SearchDirectory(config, storage)
    directory.check()
    result = directory.result()
    with RayCluster(config.execution, storage=storage.root) as cluster:
        if arguments.dry_run:
            _, last = shared_steps(config, space)
            planned = plan([last], storage)
            check_inputs([last], planned, storage, cluster)
            print(f"{describe(planned)}\n{config.search.trials} trials: {'to do' if result is None else 'done'}")
            return TO_DO if result is None else ALL_DONE
        if result is None:
            result = search(config, space, storage, cluster)
    print(f"\n{search_table(result)}\n\nsearch: {directory.path}")
    return 0

"""Search for the layers, and the hyper-parameters, that are best for one model, with Ray Tune.

Trial 0 is the configuration's own selection; `search:` in the configuration says what else is tried. Everything
finished is kept and found again, so the same command after a crash goes on where the search stopped.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from slam_ray.config import ALL_DONE, TO_DO, job, load_config, parse_command
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.stages import describe, plan, try_out, without_workers
from slam_ray.pipeline.storage import Storage
from slam_ray.search import SearchDirectory, read_space, search, search_table, shared_stages


@job
def main(argv: Sequence[str]) -> int:
    command = parse_command(argv, "jobs/search_layers.py", __doc__)
    config = load_config(command.source, command.overrides)
    space = read_space(config)
    storage = Storage.of(config)
    directory = SearchDirectory(config, storage)
    directory.check()
    result = directory.found()
    if command.dry_run:
        stages, _ = shared_stages(config, space)
        planned = plan(stages, storage)
        try_out(without_workers(stages), storage)
        print(f"{describe(planned)}\n{config.search.trials} trials: {'to do' if result is None else 'done'}")
        return TO_DO if result is None else ALL_DONE
    if result is None:
        with Context(config.execution, storage=storage.root) as context:
            result = search(config, space, storage, context)
    print(f"\n{search_table(result)}\n\nsearch: {directory.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Do a group of workers fit a cluster? What is missing, and waiting until it is there or free."""

import time
from collections.abc import Callable, Mapping, Sequence

from slam_ray.cluster.connection import node_resources
from slam_ray.config import ExecutionConfig, InputError
from slam_ray.store.workers import Workers

# The key of `execution` that sets the number of workers, by their kind.
EXECUTION_KEYS = {"counting": "counting_actors", "training": "training_workers", "engines": "engines"}
QUIET_S = 5.0  # how long other jobs are waited for before that is said


def all_workers(execution: ExecutionConfig, nodes: Sequence[Mapping[str, float]]) -> dict[str, Workers]:
    """The workers of every kind; each takes a GPU if it shall, or if some node (its total resources) has one."""
    gpu = execution.device == "gpu" or any(node.get("GPU", 0) >= 1 for node in nodes)
    return {kind: Workers(kind, getattr(execution, key), 1, int(gpu)) for kind, key in EXECUTION_KEYS.items()}


def shortfall(workers: Workers, nodes: Sequence[Mapping[str, float]]) -> str | None:
    """Say what is missing for `workers` on empty `nodes` (their total resources), or None if they fit."""
    fitting = sum(
        min(int(node.get(name, 0) // each) for name, each in (("CPU", workers.cpus), ("GPU", workers.gpus)) if each)
        for node in nodes
    )
    if fitting >= workers.count:
        return None
    return (
        f"{workers.kind}: {workers.count} workers of {workers.each} each, but there is room for {fitting};"
        f" add nodes or set --execution.{EXECUTION_KEYS[workers.kind]} {max(fitting, 1)}"
    )


def wait_for_nodes(kinds: Sequence[Workers], wait_s: float) -> None:
    """Have the cluster add nodes where it lacks some for a kind of workers, each kind by itself.

    Raises:
        InputError: a kind does not fit the nodes, also not after `wait_s` seconds; 0: the cluster adds none.
    """
    lacking = []
    for workers in kinds:
        text = shortfall(workers, node_resources())
        if text and not (wait_s and _nodes_come(workers, wait_s, text)):
            lacking.append(text)
    if lacking:
        what = f"no nodes came within {wait_s:g} s for" if wait_s else "this cluster can never run"
        raise InputError(f"{what} this configuration:\n  " + "\n  ".join(lacking))


def _nodes_come(workers: Workers, wait_s: float, lacking: str) -> bool:
    """Ask the cluster's autoscaler for nodes, by a placement group that ends with this process."""
    from ray.util import placement_group, remove_placement_group

    print(f"waiting for nodes: {lacking}", flush=True)
    bundle = {"CPU": workers.cpus, "GPU": workers.gpus} if workers.gpus else {"CPU": workers.cpus}
    group = placement_group([bundle] * workers.count)
    try:
        return bool(group.wait(wait_s))
    finally:
        remove_placement_group(group)


def wait_until_free(workers: Workers, check: Callable[[], None]) -> None:
    """Wait until other jobs, and what this one has just ended, leave enough free; `check` is called meanwhile."""
    from slam_ray.cluster.ray_internals import free_resources, remove_orphaned_placement_groups

    quiet_until: float | None = time.monotonic() + QUIET_S
    while text := shortfall(workers, free_resources()):
        remove_orphaned_placement_groups()
        check()
        if quiet_until is not None and time.monotonic() > quiet_until:
            print(f"waiting until other jobs of this cluster leave room for {text.partition(',')[0]}", flush=True)
            quiet_until = None
        time.sleep(0.1)

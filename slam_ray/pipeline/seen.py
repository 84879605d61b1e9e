"""Does every node see the run's folders? Workers read and write them wherever they are placed."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from slam_ray.config import InputError
from slam_ray.pipeline.location import Keys, Location


def check_seen(storage: Location, files: Sequence[Location], nodes: Sequence[Mapping[str, Any]]) -> None:
    """Have every node look for a file that is written into `storage` now, and for the `files`.

    One that is lost meanwhile is passed over.

    Args:
        storage: a folder of this process that the workers write into.
        files: others that they read.
        nodes: entries of `ray.nodes()`.

    Raises:
        InputError: a node sees something else at that path.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    mark = storage / f".seen-{secrets.token_hex(6)}"
    mark.write_bytes(b"")
    try:
        looking = [
            ray.remote(_missing)
            .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
            .remote([mark, *files])
            for node in nodes
        ]
        found = [_outcome(task) for task in looking]
    finally:
        mark.remove()
    for node, missing in zip(nodes, found, strict=True):
        if missing:
            if isinstance(storage, Keys) and mark in missing:
                mend = "give every machine the same endpoint and credentials, in its environment or by a role"
            else:
                mend = (
                    "keep it in a folder that every node mounts at the same path (NFS, EFS, a ReadWriteMany volume);"
                    " HF_HOME says where the Hub's files are kept"
                )
            names = [f"{storage if path == mark else path}{said}" for path, said in missing.items()]
            others = [f"{len(names) - 2} more files"] if len(names) > 2 else []
            raise InputError(
                f"the node {node['NodeManagerAddress']} ({node['NodeID'][:8]}) does not see"
                f" {' and '.join([*names[:2], *others])} as the driver does: {mend}"
            )


def _outcome(task: Any) -> dict[Location, str]:
    import ray
    from ray.exceptions import NodeDiedError, TaskUnschedulableError, WorkerCrashedError

    try:
        missing: dict[Location, str] = ray.get(task)
    except (NodeDiedError, TaskUnschedulableError, WorkerCrashedError):
        return {}
    return missing


def _missing(places: Sequence[Location]) -> dict[Location, str]:
    """Those that are not there, each with what the storage said."""
    missing = {}
    for place in places:
        try:
            if not place.exists():
                missing[place] = ""
        except OSError as error:
            missing[place] = f" ({error})"
    return missing

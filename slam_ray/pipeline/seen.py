"""Does every node see the run's folders? Workers read and write them wherever they are placed."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slam_ray.config import InputError


def check_seen(storage: Path, folders: Sequence[Path], nodes: Sequence[Mapping[str, Any]]) -> None:
    """Have every node look for a file that is written into `storage` now, and for the `folders`.

    Args:
        storage: a folder of this process that the workers write into.
        folders: others that they read.
        nodes: entries of `ray.nodes()`.

    Raises:
        InputError: a node sees something else at that path.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    storage.mkdir(parents=True, exist_ok=True)
    mark = storage / f".seen-{secrets.token_hex(6)}"
    mark.touch()
    try:
        looking = [
            ray.remote(_missing)
            .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
            .remote([mark, *folders])
            for node in nodes
        ]
        lacking = list(zip(nodes, ray.get(looking), strict=True))
    finally:
        mark.unlink()
    for node, missing in lacking:
        if missing:
            names = " and ".join(str(storage if path == mark else path) for path in missing)
            raise InputError(
                f"the node {node['NodeManagerAddress']} ({node['NodeID'][:8]}) does not see {names} as the driver does:"
                " keep it in a folder that every node mounts at the same path (NFS, EFS, a ReadWriteMany volume)"
            )


def _missing(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if not path.exists()]

"""Does every node see the run's folders as the driver does? Workers read and write them wherever they are placed."""

import secrets
from collections.abc import Collection, Sequence
from typing import Any

from slam_ray.cluster.connection import alive_nodes
from slam_ray.config import InputError
from slam_ray.store.location import Location
from slam_ray.store.s3 import S3Location


class SharedPaths:
    """The storage that workers write into, if any, and the files that they read elsewhere."""

    def __init__(self, storage: Location | None) -> None:
        self._storage = storage
        self._files: set[Location] = set()
        self._checked: set[str] = set()

    def add(self, files: Collection[Location]) -> bool:
        """Whether one of the files is new, so that all nodes are to be checked again."""
        if self._files.issuperset(files):
            return False
        self._files.update(files)
        self._checked.clear()
        return True

    def check(self) -> None:
        """Have the nodes that work, but for those that were checked, look for a new file in the storage and the others.

        The only node of a cluster is the driver's. A node that is lost meanwhile is passed over.

        Raises:
            InputError: a node sees something else at a path.
        """
        nodes = alive_nodes()
        if self._storage is None or len(nodes) == 1:
            return
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        new = [node for node in nodes if node["Resources"].get("CPU") and node["NodeID"] not in self._checked]
        places = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in new]
        mark = self._storage / f".seen-{secrets.token_hex(6)}"
        mark.write_bytes(b"")
        try:
            missing_by_node = _missing_by_place([mark, *sorted(self._files, key=str)], places)
        finally:
            mark.remove()
        for node, missing in zip(new, missing_by_node, strict=True):
            if missing:
                name = f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"
                raise InputError(f"the node {name} {_said(self._storage, mark, missing)}")
        self._checked |= {node["NodeID"] for node in new}


def missing_of(files: Sequence[Location]) -> dict[Location, str]:
    """Those files that this process does not see, each with what the storage said."""
    missing = {}
    for file in files:
        try:
            if not file.exists():
                missing[file] = ""
        except OSError as error:
            missing[file] = f" ({error})"
    return missing


def _missing_by_place(files: Sequence[Location], places: Sequence[Any]) -> list[dict[Location, str]]:
    import ray
    from ray.exceptions import NodeDiedError, TaskUnschedulableError, WorkerCrashedError

    look = ray.remote(num_cpus=0)(missing_of)
    found: list[dict[Location, str]] = []
    for task in [look.options(scheduling_strategy=place).remote(files) for place in places]:
        try:
            found.append(ray.get(task))
        except (NodeDiedError, TaskUnschedulableError, WorkerCrashedError):
            found.append({})
    return found


def _said(storage: Location, mark: Location, missing: dict[Location, str]) -> str:
    if isinstance(storage, S3Location) and mark in missing:
        remedy = "give every machine the same endpoint and credentials, in its environment or by a role"
    else:
        remedy = (
            "keep it in a folder that every node mounts at the same path (NFS, EFS, a ReadWriteMany volume);"
            " HF_HOME says where the Hub's files are kept"
        )
    names = [f"{storage if path == mark else path}{error}" for path, error in missing.items()]
    others = [f"{len(names) - 2} more files"] if len(names) > 2 else []
    return f"does not see {' and '.join([*names[:2], *others])} as the driver does: {remedy}"

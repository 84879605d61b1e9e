"""Nodes that come and go on this machine, and a main job that nothing happened to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slam_ray.pipeline.local_ray import local_ray
from tests.nodes import Job, Nodes


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """A head without CPUs and two nodes of one CPU each, on which every stage takes all there is."""
    with local_ray(cpus=0) as head, Nodes(head) as nodes:
        nodes.add()
        nodes.add()
        yield nodes


@pytest.fixture(scope="session")
def undisturbed(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of a main job of `tests.faults.SETTINGS`."""
    storage = tmp_path_factory.mktemp("undisturbed") / "storage"
    Job(nodes.head, storage).finish()
    return storage

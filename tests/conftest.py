"""What all tests share: one thread per process, a local Ray head, nodes that come and go, and an undisturbed run."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from slam_ray.cluster.local.head import LocalRay, local_ray

if TYPE_CHECKING:
    from tests.faults.runs import FaultTable
    from tests.nodes import Nodes

SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}
# Before torch is imported: the models here are too small to share, and threads that wait for one another on a busy
# machine take most of a minute for what one does in a second.
os.environ.update(SINGLE_THREADED)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the tests of faults saw goes into the docs."""
    parser.addoption("--fault-table", metavar="FILE", help="write the table of faults into FILE (make faults)")


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[LocalRay]:
    """A Ray head of 4 logical CPUs that this process is connected to; its workers can import the tests."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        root = str(Path(__file__).parent.parent)
        patch.setenv("PYTHONPATH", root, prepend=os.pathsep)
        with local_ray(cpus=4) as head:
            ray.init(logging_level=logging.WARNING)
            yield head
            ray.shutdown()


@pytest.fixture(scope="session")
def nodes() -> "Iterator[Nodes]":
    """A head without CPUs and two nodes of one CPU each, on which every stage takes all there is."""
    from tests.nodes import Nodes

    with local_ray(cpus=0) as head, Nodes(head) as nodes:
        nodes.add()
        nodes.add()
        yield nodes


@pytest.fixture(scope="session")
def undisturbed(nodes: "Nodes", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of a main job of `tests.faults.runs.SETTINGS` that nothing happened to."""
    from tests.nodes import Job

    storage = tmp_path_factory.mktemp("undisturbed") / "storage"
    Job(nodes.head, storage).finish()
    return storage


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> "Iterator[FaultTable]":
    """The faults that this session met, written into the page that `--fault-table` names."""
    from tests.faults.runs import FaultTable

    table = FaultTable()
    yield table
    if file := request.config.getoption("--fault-table"):
        table.write(Path(file))

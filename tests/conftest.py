"""What all tests share: one thread per process, and one local Ray head for the session."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from slam_ray.pipeline.local_ray import LocalRay, local_ray

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
    """What the test of faults saw goes into the docs."""
    parser.addoption("--fault-table", metavar="FILE", help="write the table of faults into FILE (tests/full)")


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

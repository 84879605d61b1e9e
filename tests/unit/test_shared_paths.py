"""Which files every node must see, and which of them it does not; `tests/ray/test_local_nodes.py` has a real node."""

from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel

from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.cluster.shared_paths import missing_of
from slam_ray.config import ExecutionConfig, ModelConfig, Section
from slam_ray.models.hub import pretrained
from slam_ray.store.local import LocalLocation
from slam_ray.store.location import Location
from slam_ray.store.making import make
from slam_ray.store.step import Artifacts, Attempt, Step
from slam_ray.store.storage import Storage
from tests.models import tiny_llama


class Size(BaseModel):
    """What the step below finds."""

    files: int


class RequiredFiles(RayCluster):
    """Notes what is required."""

    def __init__(self) -> None:
        super().__init__(ExecutionConfig())
        self.files: set[Location] = set()

    def require(self, files: Collection[Location]) -> None:
        self.files |= set(files)


def test_a_models_files_are_required_before_a_step_reads_them(tmp_path: Path) -> None:
    model = pretrained(ModelConfig(path=str(tiny_llama(tmp_path / "model"))))

    def measure(attempt: Attempt) -> Size:
        assert isinstance(attempt.cluster, RequiredFiles)
        return Size(files=len(attempt.cluster.files))

    step = Step("measure", 1, Section(), {"model": model}, Size, measure)
    for _ in range(2):  # also where the step is done: a later one may read the model without being a step of the run
        artifacts = Artifacts(Storage(tmp_path / "storage"))
        with RequiredFiles() as cluster:
            make([step], artifacts, cluster)
        manifest = artifacts[model].manifest
        assert {file.name for file in cluster.files} == dict(manifest).keys()
        assert artifacts[step].result.files == len(manifest)


def test_a_node_misses_what_is_not_there(tmp_path: Path) -> None:
    files = [LocalLocation(tmp_path / name) for name in ("config.json", "model.safetensors")]
    for file in files:
        file.write_bytes(b"")
    assert missing_of(files) == {}
    files[1].unlink()
    assert missing_of(files) == {files[1]: ""}

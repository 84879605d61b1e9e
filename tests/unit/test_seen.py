"""Which files every node must see, and which of them it does not; `tests/ray/test_local_nodes.py` has a real node."""

from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel

from slam_ray.config import ExecutionConfig, Section
from slam_ray.models.reference import base_model
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.location import Folder, Location
from slam_ray.pipeline.seen import _missing
from slam_ray.pipeline.stages import Stage, run
from slam_ray.pipeline.step import Attempt, Step
from slam_ray.pipeline.storage import Storage
from tests.models import tiny_llama


class Size(BaseModel):
    """What the step below finds."""

    files: int


class Asked(Context):
    """Notes what is required."""

    def __init__(self) -> None:
        super().__init__(ExecutionConfig())
        self.files: set[Location] = set()

    def require(self, files: Collection[Location]) -> None:
        self.files |= set(files)


def test_a_models_files_are_required_before_a_step_reads_them(tmp_path: Path) -> None:
    model = base_model(str(tiny_llama(tmp_path / "model")))

    def measure(attempt: Attempt) -> Size:
        assert isinstance(attempt.context, Asked)
        return Size(files=len(attempt.context.files))

    stage = Stage("measure", lambda done: Step("measure", 1, Section(), {"model": model}, Size, measure))
    for _ in range(2):  # also where the step is done: a later one may read the model without being a stage
        with Asked() as context:
            done = run([stage], Storage(tmp_path / "storage"), context)
        assert {file.name for file in context.files} == dict(model.manifest).keys()
        assert done["measure"].result.files == len(model.manifest)


def test_a_node_misses_what_is_not_there(tmp_path: Path) -> None:
    model = base_model(str(tiny_llama(tmp_path / "model")))
    assert _missing(model.on_nodes) == {}
    (model.base / "model.safetensors").unlink()
    assert _missing(model.on_nodes) == {Folder(model.base / "model.safetensors"): ""}

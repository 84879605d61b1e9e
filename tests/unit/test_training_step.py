"""What decides a training and what does not; what cannot be trained is refused when the step is planned."""

from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import InputError
from slam_ray.models.reference import ModelRef
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import known
from slam_ray.training import train_step
from tests.configs import run_config
from tests.corpora import fingerprint
from tests.unit.test_report import selection


@pytest.fixture
def model(tmp_path: Path) -> ModelRef:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    return ModelRef(tmp_path, (("config.json", "1"),))


def identity(model: ModelRef, /, layers: tuple[int, ...] = (0, 1), share: float = 1.0, **sections: Any) -> str:
    """The fingerprint of a training of `model` with these sections of the configuration."""
    pairs: Artifact[Any] = Artifact("pairs", "p")
    selected = Artifact("select", "s", _result=selection(chosen=layers))
    step = train_step(run_config(**sections), pairs, known(model), selected, share=share)
    return fingerprint(step, Path("/nowhere"))


def test_where_and_how_fast_is_no_part_of_a_training(model: ModelRef) -> None:
    moved = ModelRef(Path("/elsewhere"), model.manifest)
    assert moved.fingerprint == model.fingerprint
    fast = {"training_workers": 8, "checkpoint_steps": 1}
    same = {
        identity(model),
        identity(model, execution=fast),
        identity(model, prompts={"reasoning": "Solve {query}"}),
    }
    assert len(same) == 1


def test_what_is_learned_and_how_is_part_of_it(model: ModelRef) -> None:
    different = {
        identity(model),
        identity(model, training={"seed": 1}),
        identity(model, prompts={"translation": "{source} = "}),
        identity(model, model={"dtype": "bfloat16"}),
        identity(model, layers=(0, 2)),
        identity(model, share=0.5),
    }
    assert len(different) == 6


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"model": {"dtype": "float64"}}, "float32 or bfloat16"),
        ({"training": {"max_length": 512, "pack_length": 256}}, "at least training.max_length, 512"),
    ],
)
def test_what_cannot_be_trained_is_refused(model: ModelRef, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        identity(model, **wrong)


def test_a_projection_that_the_family_lacks_is_refused(model: ModelRef) -> None:
    (model.base / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match="gate"):
        identity(model, training={"projections": ["up", "gate"]})
    identity(model, training={"projections": ["layer"]})

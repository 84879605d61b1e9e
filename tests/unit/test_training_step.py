"""What decides a training and what does not; what cannot be trained is said before Ray starts."""

from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import ExecutionConfig, InputError, PromptsConfig, TrainingConfig
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.step import Artifact, Step
from slam_ray.training import TrainResult, train_step


@pytest.fixture
def model(tmp_path: Path) -> ModelRef:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    return ModelRef(tmp_path, (("config.json", "1"),))


def step(
    model: ModelRef,
    training: TrainingConfig | None = None,
    prompts: PromptsConfig | None = None,
    dtype: str = "bfloat16",
    layers: tuple[int, ...] = (0, 1),
    execution: ExecutionConfig | None = None,
) -> Step[TrainResult]:
    return train_step(
        training or TrainingConfig(),
        prompts or PromptsConfig(),
        dtype,
        Artifact("pairs", "p"),
        model,
        layers,
        execution or ExecutionConfig(),
    )


def test_where_and_how_fast_is_no_part_of_a_training(model: ModelRef) -> None:
    fast = ExecutionConfig(training_workers=8, checkpoint_steps=1, model_cache="/elsewhere")
    same = [step(model, execution=fast), step(model, prompts=PromptsConfig(reasoning="Solve {query}"))]
    moved = ModelRef(Path("/elsewhere"), model.manifest)
    assert moved.fingerprint == model.fingerprint
    assert {other.fingerprint for other in same} == {step(model).fingerprint}


def test_what_is_learned_and_how_is_part_of_it(model: ModelRef) -> None:
    other = [
        step(model, training=TrainingConfig(seed=1)),
        step(model, prompts=PromptsConfig(translation="{source} = ")),
        step(model, dtype="float32"),
        step(model, layers=(0, 2)),
    ]
    assert len({one.fingerprint for one in (*other, step(model))}) == 5


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"dtype": "float64"}, "float32 or bfloat16"),
        ({"training": TrainingConfig(max_length=512, pack_length=256)}, "at least training.max_length, 512"),
    ],
)
def test_what_cannot_be_trained_is_said_at_once(model: ModelRef, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        step(model, **wrong)


def test_a_projection_that_the_family_has_not_is_said_at_once(model: ModelRef) -> None:
    (model.base / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match="gate"):
        step(model, training=TrainingConfig(projections=("up", "gate")))
    step(model, training=TrainingConfig(projections=("layer",)))

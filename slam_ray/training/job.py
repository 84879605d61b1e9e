"""What a training worker is asked to do and what comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from slam_ray.config import PromptsConfig, TrainingConfig
from slam_ray.corpora.languages import Languages
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.location import Location
from slam_ray.pipeline.step import Artifact

LOSS_FILE = "loss.jsonl"


@dataclass(frozen=True)
class TrainJob:
    """All that a worker needs; the same for every rank.

    Attributes:
        dtype: of the forward pass; master weights, moments and accumulated gradients are float32.
        pairs: the prepared corpus of translation pairs.
        languages: those that are known, for their names.
        model: what is tuned.
        layers: 0-based, the layers whose projections are tuned.
        cache: folder on each node for assembled models.
        checkpoint_steps: optimizer steps between checkpoints.
        output: where rank 0 puts the tuned tensors and the losses.
        share: of the optimizer steps that are taken; less than 1 leaves a checkpoint in `output` as well.
        earlier: a checkpoint of this training, or of a smaller share of it, to go on from.
    """

    config: TrainingConfig
    prompts: PromptsConfig
    dtype: str
    pairs: Artifact[Any]
    languages: Languages
    model: ModelRef
    layers: tuple[int, ...]
    cache: Path
    checkpoint_steps: int
    output: Location
    share: float
    earlier: Location | None


class StepLoss(BaseModel):
    """One optimizer step, as a line of `loss.jsonl`.

    Attributes:
        step: counted from 1.
        loss: nats per target token before the step's update, over the whole global batch.
        learning_rate: of this step.
        target_tokens: tokens of the global batch that the loss is about.
    """

    step: int
    loss: float
    learning_rate: float
    target_tokens: int


class TrainResult(BaseModel):
    """What a training came to.

    Attributes:
        pairs: translation pairs trained on, in each epoch.
        dropped: pairs left out because they are longer than `max_length`.
        steps: optimizer steps.
        trained_share: share of the model's parameters that were trained.
        tensors: names of the trained tensors.
        final_loss: loss of the last step.
    """

    pairs: int
    dropped: int
    steps: int
    trained_share: float
    tensors: list[str]
    final_loss: float

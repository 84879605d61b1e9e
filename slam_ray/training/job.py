"""What every training worker gets, and what a training returns."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from slam_ray.config import PromptsConfig, TrainingConfig
from slam_ray.corpora.languages import Languages
from slam_ray.models.reference import ModelRef
from slam_ray.store.artifact import Artifact
from slam_ray.store.location import Location

LOSS_FILE = "loss.jsonl"


@dataclass(frozen=True)
class TrainJob:
    """What a worker needs to know; the same for every rank.

    Attributes:
        dtype: of the forward pass; master weights, moments and accumulated gradients are float32.
        pairs: the prepared corpus of translation pairs.
        languages: their names are in the prompt.
        model: the one to tune.
        layers: those whose projections are tuned, 0-based.
        checkpoint_steps: optimizer steps between checkpoints.
        output: where rank 0 puts the tuned tensors and the losses.
        share: of the optimizer steps to take; with less than 1 a checkpoint is put into `output` as well.
        earlier: the folder of a checkpoint to go on from, of this training or of a smaller share of it.
    """

    config: TrainingConfig
    prompts: PromptsConfig
    dtype: str
    pairs: Artifact[Any]
    languages: Languages
    model: ModelRef
    layers: tuple[int, ...]
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
    """A finished training.

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

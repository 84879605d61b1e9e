"""What every training worker gets, and what a training returns."""

from dataclasses import dataclass

from pydantic import BaseModel

from slam_ray.config import TrainingConfig
from slam_ray.models.reference import ModelRef
from slam_ray.store.location import Location

LOSS_FILE = "loss.jsonl"


@dataclass(frozen=True)
class TrainJob:
    """What a worker needs to know; the same for every rank.

    Attributes:
        dtype: of the forward pass; master weights, moments and accumulated gradients are float32.
        examples: the file of the tokenized pairs.
        dropped: pairs that were too long to be among them.
        model: the one to tune.
        layers: those whose projections are tuned, 0-based.
        checkpoint_steps: optimizer steps between checkpoints.
        output: where rank 0 puts the tuned tensors and the losses.
        share: of the optimizer steps to take; with less than 1 a checkpoint is put into `output` as well.
        earlier: the folder of a checkpoint to go on from, of this training or of a smaller share of it.
    """

    config: TrainingConfig
    dtype: str
    examples: Location
    dropped: int
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
        gradient_norm: of the step's gradient before it is clipped, over all trained parameters.
        tokens_per_second: all tokens of the global batch, by the time from the step's begin to its end.
        peak_memory: most bytes that one worker has held so far: on a GPU as torch's tensors, without one in all.
    """

    step: int
    loss: float
    learning_rate: float
    target_tokens: int
    gradient_norm: float
    tokens_per_second: float
    peak_memory: int


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

"""The training step: tune the FFN projections of the selected layers on translation pairs (section 3.3, Eq. 8)."""

import logging
import operator
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from slam_ray.config import ExecutionConfig, InputError, PromptsConfig, Section, TrainingConfig
from slam_ray.corpora import Prepared
from slam_ray.corpora.languages import KNOWN, Languages
from slam_ray.models.families import WHOLE_LAYER
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.location import Location
from slam_ray.pipeline.step import Artifact, Attempt, HasFingerprint, Step
from slam_ray.training.job import LOSS_FILE, StepLoss, TrainJob, TrainResult
from slam_ray.training.snapshot import last_whole

if TYPE_CHECKING:
    from ray.train import UserCallback

RUN_NAME = "train"  # a rerun that finds this run in its scratch folder goes on from its last checkpoint
WORKER_DEATHS = 5
CONTROLLER_DEATHS = 3
FAILED_STARTS = 2
WORKER_ENVIRONMENT = {
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # it would show each printed line twice
    "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING": "0",  # it would show what Train logs at level INFO
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONWARNINGS": "ignore::FutureWarning",  # of DeepSpeed's calls into torch
}


class TrainConfig(Section):
    """What decides the tuned weights.

    Attributes:
        prompt: the translation prompt.
        dtype: of the forward pass.
        layers: 0-based.
        names: of the languages that the configuration adds, by code, as the prompt says them.
    """

    training: TrainingConfig
    prompt: str
    dtype: str
    layers: tuple[int, ...]
    names: dict[str, str] = Field(default_factory=dict, exclude_if=operator.not_)


class PartConfig(TrainConfig):
    """What decides the weights after a share of the training's optimizer steps."""

    share: float


def train_step(
    config: TrainingConfig,
    prompts: PromptsConfig,
    dtype: str,
    pairs: Artifact[Prepared],
    model: ModelRef,
    layers: Sequence[int],
    execution: ExecutionConfig,
    share: float = 1.0,
    earlier: Artifact[TrainResult] | None = None,
    callbacks: Sequence["UserCallback"] = (),
    languages: Languages = KNOWN,
) -> Step[TrainResult]:
    """Tune `config.projections` of the 0-based `layers` of `model` on `pairs`.

    The artifact holds `trained.safetensors`, the tuned tensors alone under their state-dict names in the base's stored
    precision, and `loss.jsonl`; a part of a training also the checkpoint to go on from.

    Args:
        share: of the optimizer steps to take; the schedule stays that of the whole training.
        earlier: the same training up to a smaller share, whose steps are then not taken again.
        callbacks: of Ray Train, told of every checkpoint's step and translation loss.
        languages: those of the pairs are among them.

    Raises:
        InputError: (here) a setting cannot work; (in its run) the training diverges, or no pair is short enough.
    """
    check_training(config, dtype, model)
    identity = TrainConfig(
        training=config,
        prompt=prompts.translation,
        dtype=dtype,
        layers=tuple(layers),
        names=languages.added_names,
    )
    inputs: dict[str, HasFingerprint] = {"pairs": pairs, "model": model}

    def run(attempt: Attempt) -> TrainResult:
        job = TrainJob(
            config=config,
            prompts=prompts,
            dtype=dtype,
            pairs=pairs,
            languages=languages,
            model=model,
            layers=identity.layers,
            cache=Path(execution.model_cache),
            checkpoint_steps=execution.checkpoint_steps,
            output=attempt.output,
            share=share,
            earlier=None if earlier is None else earlier.directory,
        )
        return _fit(job, attempt.context, attempt.scratch, callbacks, execution.node_wait_s)

    if share < 1:
        part = PartConfig(**dict(identity), share=share)
        return Step("train_part", 2, part, inputs, TrainResult, run, workers="training")
    return Step("train", 3, identity, inputs, TrainResult, run, workers="training")


def check_training(config: TrainingConfig, dtype: str, model: ModelRef) -> None:
    """Raise InputError if no training of this model can have these settings."""
    if dtype not in ("float32", "bfloat16"):
        raise InputError(f"model.dtype: training runs in float32 or bfloat16, not in {dtype}")
    if config.pack_length < config.max_length:
        raise InputError(
            f"training.pack_length is {config.pack_length}: must be at least training.max_length, {config.max_length},"
            " so that each pair fits a row"
        )
    check_projections(config, model)


def check_projections(config: TrainingConfig, model: ModelRef) -> None:
    """Raise InputError if the model's layers lack a projection that is to be tuned."""
    for projection in set(config.projections) - {WHOLE_LAYER}:
        model.family.projection(projection)


def read_losses(artifact: Artifact[TrainResult]) -> list[StepLoss]:
    """The loss of every optimizer step of a training."""
    return [StepLoss.model_validate_json(line) for line in artifact.file(LOSS_FILE).read_text().splitlines()]


def _fit(
    job: TrainJob, context: Context, scratch: Location, callbacks: Sequence["UserCallback"], node_wait_s: float
) -> TrainResult:
    from ray.exceptions import RayActorError
    from ray.train import CheckpointConfig, ControllerError, FailureConfig, LoggingConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from slam_ray.training.hopeless import EndedJob, Hopeless

    workers = context.workers("training")

    class Trainer(TorchTrainer):
        def _register_sigint_handler(self, controller: object) -> None:
            """Ctrl-C is for the whole run; Ray Train would keep it for good and then exit with code 0."""

    # An actor of its own that foresees a node's end; without it the workers die there and start again just the same.
    os.environ["RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"] = "0"
    # Seconds between two looks at the workers, for the next of which a checkpoint waits; by default 2.
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.5"
    # When a node was lost, another may have to be added before the workers find their places again.
    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(max(60.0, node_wait_s))
    environment = WORKER_ENVIRONMENT if workers.gpus else WORKER_ENVIRONMENT | {"DS_ACCELERATOR": "cpu"}
    given: dict[str, TrainJob] = {}  # read by each `fit`
    trainer = Trainer(
        _work,
        train_loop_config=given,
        scaling_config=ScalingConfig(
            num_workers=workers.count,
            use_gpu=workers.gpus > 0,
            resources_per_worker={"CPU": workers.cpus, "GPU": workers.gpus},
        ),
        run_config=RunConfig(
            name=RUN_NAME,
            **scratch.for_arrow(),
            failure_config=FailureConfig(max_failures=WORKER_DEATHS, controller_failure_limit=FAILED_STARTS),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
            callbacks=[Hopeless(), EndedJob(), *callbacks],
            logging_config=LoggingConfig(log_level="WARNING"),
            worker_runtime_env={"env_vars": environment},
        ),
    )
    for death in range(1, CONTROLLER_DEATHS + 1):
        given["job"] = replace(job, earlier=last_whole(scratch / RUN_NAME) or job.earlier)
        try:
            outcome: TrainResult | InputError = trainer.fit().return_value
        except ControllerError as error:
            if isinstance(error.controller_failure, InputError):
                raise error.controller_failure from error
            raise
        except RayActorError:
            if death == CONTROLLER_DEATHS:
                raise
            context.workers("training")  # what its workers held is free again
            print(f"  train: its controller was lost ({death} of at most {CONTROLLER_DEATHS - 1} times)", flush=True)
        else:
            break
    if isinstance(outcome, InputError):
        kept = any("/checkpoint_" in name for name in scratch.files())
        raise InputError(f"{outcome}, in {scratch}" if kept else str(outcome))
    return outcome


def _work(config: dict[str, Any]) -> TrainResult | InputError:
    from slam_ray.training.worker import train  # only workers load torch and DeepSpeed

    logging.getLogger("ray.train").setLevel(logging.WARNING)  # a line for every checkpoint
    try:
        return train(config["job"])
    except InputError:
        # The driver says it; this logger would show the stack of what the user is to mend first.
        logging.getLogger("ray.train.v2._internal.util").disabled = True
        raise

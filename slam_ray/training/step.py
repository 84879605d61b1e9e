"""The training step: tune the FFN projections of the selected layers on translation pairs (section 3.3, Eq. 8)."""

import logging
import operator
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from slam_ray.config import InputError, RunConfig, Section, TrainingConfig
from slam_ray.corpora import Prepared, read_pairs
from slam_ray.corpora.languages import Languages
from slam_ray.models.families import WHOLE_LAYER
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import Model, ModelRef
from slam_ray.selection import SelectResult
from slam_ray.store.artifact import Artifact
from slam_ray.store.location import Location
from slam_ray.store.step import Artifacts, Attempt, Derived, Input, Step
from slam_ray.store.workers import Cluster
from slam_ray.training.examples import tokenize, write_examples
from slam_ray.training.job import LOSS_FILE, StepLoss, TrainJob, TrainResult
from slam_ray.training.last_checkpoint import last_complete_checkpoint

if TYPE_CHECKING:
    from ray.train import UserCallback

EXAMPLES_FILE = "examples.npz"
RUN_NAME = "train"  # Ray Train's: a rerun that finds this run in its scratch folder goes on from its last checkpoint
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
    config: RunConfig,
    pairs: Input[Prepared],
    model: Model,
    layers: Input[SelectResult],
    *,
    share: float = 1.0,
    earlier: Artifact[TrainResult] | None = None,
    callbacks: Sequence["UserCallback"] = (),
) -> Step[TrainResult]:
    """Tune `training.projections` of the selected `layers` of `model` on `pairs`.

    The artifact holds `trained.safetensors`, the tuned tensors alone under their state-dict names in the base's stored
    precision, and `loss.jsonl`; that of a part of a training also holds the checkpoint to go on from.

    Args:
        config: its training, translation prompt, dtype and languages decide the result.
        share: of the optimizer steps to take; the schedule stays that of the whole training.
        earlier: the same training up to a smaller share, whose steps are then not taken again.
        callbacks: of Ray Train, told of every checkpoint's step and translation loss.

    Raises:
        InputError: (when it is planned) the model cannot be trained so; (in its run) the training diverges, or no pair
            is short enough.
    """

    def step_config(artifacts: Artifacts) -> TrainConfig:
        check_training(config.training, config.model.dtype, artifacts[model])
        whole = TrainConfig(
            training=config.training,
            prompt=config.prompts.translation,
            dtype=config.model.dtype,
            layers=artifacts[layers].result.layers,
            names=Languages.of(config.corpora).added_names,
        )
        return PartConfig(**dict(whole), share=share) if share < 1 else whole

    def run(attempt: Attempt) -> TrainResult:
        corpus, base = read_pairs(attempt[pairs]), attempt[model]
        tokenizer, known = load_tokenizer(base.base, base.trusted), Languages.of(config.corpora)
        examples = tokenize(tokenizer, config.prompts, corpus, config.training.max_length, known)
        write_examples(attempt.scratch / EXAMPLES_FILE, examples)
        job = TrainJob(
            config=config.training,
            dtype=config.model.dtype,
            examples=attempt.scratch / EXAMPLES_FILE,
            dropped=len(corpus) - len(examples),
            model=base,
            layers=attempt[layers].result.layers,
            checkpoint_steps=config.execution.checkpoint_steps,
            output=attempt.output,
            share=share,
            earlier=None if earlier is None else earlier.directory,
        )
        return _fit(job, attempt.cluster, attempt.scratch, callbacks, config.execution.node_wait_s)

    name, version = ("train_part", 3) if share < 1 else ("train", 4)
    inputs = {"pairs": pairs, "model": model}
    return Step(name, version, Derived([model, layers], step_config), inputs, TrainResult, run, workers="training")


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
    job: TrainJob, cluster: Cluster, scratch: Location, callbacks: Sequence["UserCallback"], node_wait_s: float
) -> TrainResult:
    from ray.exceptions import RayActorError
    from ray.train import CheckpointConfig, ControllerError, FailureConfig, LoggingConfig, RunConfig, ScalingConfig

    from slam_ray.cluster.ray_internals import before_workers_start, torch_trainer
    from slam_ray.training.failures import EndOnInputError, refuse_ended_job

    workers = cluster.workers("training")
    # An actor that foresees a node's end; without it the workers die with the node and are started again just the same.
    os.environ["RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"] = "0"
    # Seconds between two looks at the workers, for the next of which a checkpoint waits; by default 2.
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.5"
    # After a node was lost, another may have to be added before the workers can start again.
    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(max(60.0, node_wait_s))
    environment = WORKER_ENVIRONMENT if workers.gpus else WORKER_ENVIRONMENT | {"DS_ACCELERATOR": "cpu"}
    worker_arguments: dict[str, TrainJob] = {}  # each `fit` reads them anew
    trainer = torch_trainer(
        _work,
        train_loop_config=worker_arguments,
        scaling_config=ScalingConfig(
            num_workers=workers.count,
            use_gpu=workers.gpus > 0,
            resources_per_worker={"CPU": workers.cpus, "GPU": workers.gpus},
        ),
        run_config=RunConfig(
            name=RUN_NAME,
            **scratch.ray_train_storage(),
            failure_config=FailureConfig(max_failures=WORKER_DEATHS, controller_failure_limit=FAILED_STARTS),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
            callbacks=[EndOnInputError(), before_workers_start(refuse_ended_job), *callbacks],
            logging_config=LoggingConfig(log_level="WARNING"),
            worker_runtime_env={"env_vars": environment},
        ),
    )
    for death in range(1, CONTROLLER_DEATHS + 1):
        earlier = last_complete_checkpoint(scratch / RUN_NAME) or job.earlier
        worker_arguments["job"] = replace(job, earlier=earlier)
        try:
            outcome: TrainResult | InputError = trainer.fit().return_value
        except ControllerError as error:
            if isinstance(error.controller_failure, InputError):
                raise error.controller_failure from error
            raise
        except RayActorError:
            if death == CONTROLLER_DEATHS:
                raise
            cluster.workers("training")  # waits until the lost workers' resources are free again
            print(f"  train: its controller was lost ({death} of at most {CONTROLLER_DEATHS - 1} times)", flush=True)
        else:
            break
    if isinstance(outcome, InputError):
        kept = any("/checkpoint_" in name for name in scratch.files())
        raise InputError(f"{outcome}, in {scratch}" if kept else str(outcome))
    return outcome


def _work(arguments: dict[str, Any]) -> TrainResult | InputError:
    from slam_ray.cluster.ray_internals import silence_worker_errors
    from slam_ray.training.worker import train  # only workers load torch and DeepSpeed

    logging.getLogger("ray.train").setLevel(logging.WARNING)  # a line for every checkpoint
    try:
        return train(arguments["job"])
    except InputError:
        silence_worker_errors()  # the driver says this one
        raise

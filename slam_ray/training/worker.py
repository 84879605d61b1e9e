"""One rank of a training: Ray Train runs `train` in every worker, and all take each optimizer step together (Eq. 8)."""

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import ray.train
import ray.train.torch
import torch
from safetensors.torch import save_file

from slam_ray.config import InputError
from slam_ray.corpora import read_pairs
from slam_ray.models.loading import load_model, load_tokenizer
from slam_ray.models.reference import TRAINED_FILE, ModelRef
from slam_ray.models.trainable import tune_only
from slam_ray.models.weights import stored_tensors
from slam_ray.store.disk_space import full_disk_as_input_error
from slam_ray.terminal.progress import Progress
from slam_ray.training.batches import (
    PackedRow,
    TokenizedExample,
    batch,
    empty_row,
    rows_of_rank,
    steps_per_epoch,
    target_tokens,
)
from slam_ray.training.checkpoint import TrainingProgress, master_weights, restore, save
from slam_ray.training.examples import tokenize
from slam_ray.training.job import LOSS_FILE, StepLoss, TrainJob, TrainResult
from slam_ray.training.loss import negative_log_likelihood
from slam_ray.training.zero import learning_rate, zero2

NAMED_PAIRS = 3  # of the batch at which a training diverges


def train(job: TrainJob) -> TrainResult | InputError:
    """Tune the model from the last checkpoint on, or from the start; rank 0 writes the result into `job.output`.

    All ranks meet an InputError of `_train`, so it is returned: Ray Train would restart the workers if it were raised.

    Raises:
        InputError: the disk is full, which rank 0 alone meets; `EndOnInputError` then ends the training.
    """
    with full_disk_as_input_error(job.output):
        try:
            return _train(job)
        except InputError as error:
            return error


def _train(job: TrainJob) -> TrainResult:
    pairs = read_pairs(job.pairs)
    tokenizer = load_tokenizer(job.model.base, job.model.trusted)
    examples = tokenize(tokenizer, job.prompts, pairs, job.config.max_length, job.languages)
    trainer = Trainer(job, examples)
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is not None:
        with checkpoint.as_directory() as saved:
            trainer.restore(Path(saved))
    elif job.earlier is not None:
        with job.earlier.local_folder() as saved:
            trainer.restore(Path(saved))
    progress = trainer.run()
    weights = master_weights(trainer.parameters)
    with job.output.staging_folder() as output:
        if job.share < 1:
            save(output, trainer.parameters, progress, write=trainer.rank == 0)
        if trainer.rank == 0:
            save_file(as_stored(job.model, weights, job.dtype), output / TRAINED_FILE)
            lines = "".join(loss.model_dump_json() + "\n" for loss in progress.losses)
            (output / LOSS_FILE).write_text(lines)
    return TrainResult(
        pairs=len(examples),
        dropped=len(pairs) - len(examples),
        steps=progress.step,
        trained_share=trainer.trained_share,
        tensors=list(weights),
        final_loss=progress.losses[-1].loss,
    )


class Trainer:
    """A rank's share of the model and of every optimizer step.

    Attributes:
        rank: of this worker.
        parameters: the trained ones, by their names in the model's state dict.
        trained_share: their share of the model's parameters.
    """

    def __init__(self, job: TrainJob, examples: Sequence[TokenizedExample]) -> None:
        self._job, self._examples = job, examples
        context = ray.train.get_context()
        self.rank, self._ranks = context.get_world_rank(), context.get_world_size()
        self._device = ray.train.torch.get_device()
        model = load_model(job.model, job.dtype)
        self.trained_share = tune_only(model, job.model.family, job.layers, job.config.projections)
        self.parameters = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._engine, self._optimizer = zero2(model, list(self.parameters.values()), job.dtype)
        self._epoch_steps = steps_per_epoch(len(examples), job.config.batch_size)
        self._steps = self._epoch_steps * job.config.epochs
        self._progress = TrainingProgress()
        self._checkpointed = 0  # steps that the last checkpoint has done

    def restore(self, folder: Path) -> None:
        """Go on from the checkpoint in `folder`."""

        def empty_step() -> None:
            self._accumulate([empty_row()], tokens=1)
            self._engine.step()

        self._progress = restore(folder, self.parameters, self._optimizer, empty_step)
        self._checkpointed = self._progress.step
        if self.rank == 0:
            print(f"  train: going on after step {self._progress.step}", flush=True)

    def run(self) -> TrainingProgress:
        """Take the remaining steps of the job's share, with a checkpoint every `checkpoint_steps`."""
        progress = self._progress
        end = math.ceil(self._steps * self._job.share)
        display = Progress("train", end, "steps", done=progress.step)
        while progress.step < end:
            loss = self._step(progress.step)
            progress.losses.append(loss)
            progress.step += 1
            progress.epoch = progress.step // self._epoch_steps
            if self.rank == 0:
                display.advance(note=f"loss {loss.loss:.4f}")
        return progress

    def _step(self, step: int) -> StepLoss:
        config = self._job.config
        indices = batch(step, len(self._examples), config.batch_size, config.seed)
        examples = [self._examples[index] for index in indices]
        tokens = target_tokens(examples)
        rate = learning_rate(step, self._steps, config.learning_rate)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        total = self._accumulate(rows_of_rank(examples, config.pack_length, self.rank, self._ranks), tokens)
        torch.distributed.all_reduce(total)
        loss = StepLoss(step=step + 1, loss=total.item() / tokens, learning_rate=rate, target_tokens=tokens)
        self._check("loss", loss.loss, step, examples)
        # A finite loss shows that the weights of the steps before are good.
        if step % self._job.checkpoint_steps == 0 and step > self._checkpointed:
            self._checkpoint()
        self._engine.step()
        self._check("gradient norm", float(self._engine.get_global_grad_norm()), step, examples)
        return loss

    def _check(self, what: str, value: float, step: int, examples: Sequence[TokenizedExample]) -> None:
        """Raise InputError if a step's loss or gradient norm, which is the same on every rank, is not finite."""
        if math.isfinite(value):
            return
        epoch, step_of_epoch = divmod(step, self._epoch_steps)
        pairs = ", ".join(example.name for example in examples[:NAMED_PAIRS])
        others = f" and {len(examples) - NAMED_PAIRS} more" if len(examples) > NAMED_PAIRS else ""
        kept = f"; the checkpoint after step {self._checkpointed} is kept" if self._checkpointed else ""
        raise InputError(
            f"training diverged at step {step + 1} (batch {step_of_epoch + 1} of {self._epoch_steps} in epoch"
            f" {epoch + 1}, pairs {pairs}{others}): the {what} is {value};"
            f" try a smaller training.learning_rate than {self._job.config.learning_rate:g}{kept}"
        )

    def _accumulate(self, rows: Sequence[PackedRow], tokens: int) -> torch.Tensor:
        """Add the gradients of this rank's rows; returns their summed negative log-likelihood in nats, [1] float64."""
        total = torch.zeros(1, dtype=torch.float64, device=self._device)
        for number, row in enumerate(rows, start=1):
            likelihood = negative_log_likelihood(self._engine, row, self._device)
            total += likelihood.detach()
            self._engine.set_gradient_accumulation_boundary(number == len(rows))
            # DeepSpeed averages over the ranks; the loss is a mean over the target tokens of all of them.
            self._engine.backward(likelihood * (self._ranks / tokens))
        return total

    def _checkpoint(self) -> None:
        # In the working directory, which Ray removes with its session. A killed worker may have begun one there.
        folder = Path(f"checkpoint-{self._job.output.name}").absolute()
        if self.rank == 0:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        save(folder, self.parameters, self._progress, write=self.rank == 0)
        checkpoint = ray.train.Checkpoint.from_directory(folder) if self.rank == 0 else None
        metrics = {"step": self._progress.step, "translation_loss": self._progress.losses[-1].loss}
        ray.train.report(metrics, checkpoint=checkpoint)
        if self.rank == 0:
            shutil.rmtree(folder)
        self._checkpointed = self._progress.step


def as_stored(model: ModelRef, weights: Mapping[str, torch.Tensor], dtype: str) -> dict[str, torch.Tensor]:
    """Float32 weights that training made of a model's, under the names and in the precision of its files.

    A number that training in `dtype` did not change is the file's to the bit, as the frozen parts of a fused weight
    must be: loading it in `dtype` may have rounded it.
    """
    name_of = model.family.loaded_name
    stored = {}
    for name, before in stored_tensors(model, lambda name: name_of(name) in weights):
        weight = weights[name_of(name)]
        unchanged = weight == before.to(getattr(torch, dtype)).float()
        stored[name] = torch.where(unchanged, before, weight.to(before.dtype))
    assert len(stored) == len(weights), "a trained weight is none of the checkpoint's tensors"
    return stored

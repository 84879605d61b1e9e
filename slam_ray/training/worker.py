"""One rank of a training: Ray Train runs `train` in every worker, and all take each optimizer step together (Eq. 8)."""

import math
import resource
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import ray.train
import ray.train.torch
import torch
from safetensors.torch import save_file

from slam_ray.config import InputError
from slam_ray.models.forward_pass import TargetLoss
from slam_ray.models.loading import load_model
from slam_ray.models.packing import TokenizedText, empty_row, rows_of_rank, target_tokens
from slam_ray.models.reference import TRAINED_FILE, ModelRef
from slam_ray.models.trainable import tune_only
from slam_ray.models.weights import stored_tensors
from slam_ray.store.disk_space import full_disk_as_input_error
from slam_ray.terminal.progress import Progress
from slam_ray.training.batches import batch, steps_per_epoch
from slam_ray.training.checkpoint import TrainingProgress, master_weights, restore, save
from slam_ray.training.examples import read_examples
from slam_ray.training.job import LOSS_FILE, StepLoss, TrainJob, TrainResult
from slam_ray.training.zero import Zero2, learning_rate

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
    examples = read_examples(job.examples)
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
        dropped=job.dropped,
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

    def __init__(self, job: TrainJob, examples: Sequence[TokenizedText]) -> None:
        self._job, self._examples = job, examples
        context = ray.train.get_context()
        self.rank, self._ranks = context.get_world_rank(), context.get_world_size()
        self._device = ray.train.torch.get_device()
        model = load_model(job.model, job.dtype)
        self.trained_share = tune_only(model, job.model.family, job.layers, job.config.projections)
        self.parameters = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._zero = Zero2(TargetLoss(model), list(self.parameters.values()), job.dtype)
        self._epoch_steps = steps_per_epoch(len(examples), job.config.batch_size)
        self._steps = self._epoch_steps * job.config.epochs
        self._progress = TrainingProgress()
        self._checkpointed = 0  # steps that the last checkpoint has done

    def restore(self, folder: Path) -> None:
        """Go on from the checkpoint in `folder`."""

        def empty_step() -> None:
            self._zero.accumulate([empty_row()], scale=1.0)
            self._zero.step()

        self._progress = restore(folder, self.parameters, self._zero.optimizer, empty_step)
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
                display.advance(note=_note(loss))
        return progress

    def _step(self, step: int) -> StepLoss:
        began = time.monotonic()
        config = self._job.config
        indices = batch(step, len(self._examples), config.batch_size, config.seed)
        examples = [self._examples[index] for index in indices]
        targets = target_tokens(examples)
        rate = learning_rate(step, self._steps, config.learning_rate)
        for group in self._zero.optimizer.param_groups:
            group["lr"] = rate
        rows = rows_of_rank(examples, config.pack_length, self.rank, self._ranks)
        total = self._zero.accumulate(rows, scale=1 / targets)
        torch.distributed.all_reduce(total)
        loss = total.item() / targets
        self._check("loss", loss, step, examples)
        # A finite loss shows that the weights of the steps before are good.
        if step % self._job.checkpoint_steps == 0 and step > self._checkpointed:
            self._checkpoint()
        norm = self._zero.step()
        self._check("gradient norm", norm, step, examples)
        return StepLoss(
            step=step + 1,
            loss=loss,
            learning_rate=rate,
            target_tokens=targets,
            gradient_norm=norm,
            tokens_per_second=sum(len(example.tokens) for example in examples) / (time.monotonic() - began),
            peak_memory=self._peak_memory(),
        )

    def _peak_memory(self) -> int:
        """Bytes of the worker that has held most."""
        if self._device.type == "cuda":
            held = torch.cuda.max_memory_allocated(self._device)
        else:
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        most = torch.tensor([held], device=self._device)
        torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
        return int(most.item())

    def _check(self, what: str, value: float, step: int, examples: Sequence[TokenizedText]) -> None:
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


def _note(loss: StepLoss) -> str:
    return (
        f"loss {loss.loss:.4f}, gradient norm {loss.gradient_norm:.3g}, {loss.tokens_per_second:.0f} tokens/s,"
        f" at most {loss.peak_memory / 2**30:.1f} GiB"
    )


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

"""How fast is training, against `transformers.Trainer`? `python -m benchmarks.training MODEL --pairs FOLDER`.

Ours is the training step of a run: Ray Train, DeepSpeed ZeRO-2, float32 masters, two workers of one core each. The peer
is one process with all cores: the same frozen weights and AdamW, bfloat16 throughout, dynamic padding. Both take the
same steps of the same pairs in the same order. A step counts whole, from its begin to its end: reading its pairs,
packing or padding them, forward, backward, reduction, clipping, optimizer, and a checkpoint where one is due (every 100
steps by default). Process starts and loading count on neither side, nor does each side's first step, in which memory is
first touched.
"""

import argparse
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.flops import training_flops
from benchmarks.measurement import (
    Figures,
    Repeat,
    against_peers,
    alternate,
    cores,
    digest,
    figures,
    finish,
    in_fresh_process,
    machine_peak,
)
from benchmarks.texts import add_model, add_source, config_of, pairs_of
from benchmarks.transformers_trainer import seconds_per_step
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import RunConfig
from slam_ray.corpora import Prepared, read_pairs
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.packing import TokenizedText
from slam_ray.models.reference import base_model
from slam_ray.models.trainable import tune_only
from slam_ray.selection import SelectResult
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Artifacts, known
from slam_ray.store.storage import Storage
from slam_ray.training import read_losses, train_step
from slam_ray.training.batches import batch, steps_per_epoch
from slam_ray.training.examples import tokenize

TRAINER, AT_LEAST = "transformers.Trainer", 1.6
WARM_UP_STEPS = 1


@dataclass(frozen=True)
class Task:
    """What both sides train.

    Attributes:
        config: one epoch, so that every pair is read once.
        pairs: all of them.
        layers: the trained ones, 0-based.
        micro_batch: pairs in one forward pass of the peer.
    """

    config: RunConfig
    pairs: Artifact[Prepared]
    layers: tuple[int, ...]
    micro_batch: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model(parser)
    add_source(parser, "pairs", "qalign")
    parser.add_argument("--batch", type=int, default=32, help="pairs in an optimizer step")
    parser.add_argument("--steps", type=int, default=13, help="of a repeat, the first one for warming up")
    parser.add_argument("--layers", type=int, default=6, help="so many are trained, from the first on")
    parser.add_argument("--micro-batch", type=int, default=4, help="pairs in one forward pass of the peer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        finish(measure(arguments, Path(folder)), arguments.keep)


def measure(arguments: argparse.Namespace, folder: Path) -> Figures:
    """All repeats of both sides."""
    task = task_of(arguments, folder, arguments.steps)
    sides = {
        "ours": partial(in_fresh_process, ours, task),
        TRAINER: partial(in_fresh_process, peer, task),
    }
    work = (
        f"{task.config.model.name}, {arguments.dtype}, steps of {arguments.batch} pairs, up and down of"
        f" {arguments.layers} layers; the peer {arguments.micro_batch} pairs at a time"
    )
    peak = machine_peak(arguments.dtype)
    comparisons = against_peers(alternate(sides, arguments.repeats), {TRAINER: AT_LEAST}, peak)
    return figures("training", "pairs/s", work, comparisons, peak)


def task_of(arguments: argparse.Namespace, folder: Path, steps: int) -> Task:
    """A training of so many steps."""
    config = config_of(
        folder,
        {"pairs": (arguments.pairs, arguments.pairs_format)},
        model={"path": arguments.model, "dtype": arguments.dtype},
        training={"batch_size": arguments.batch, "epochs": 1},
        execution={"training_workers": arguments.workers},
    )
    pairs = pairs_of(config, steps * arguments.batch)
    return Task(config, pairs, tuple(range(arguments.layers)), arguments.micro_batch)


def ours(task: Task) -> Repeat:
    """The training step of a run, timed by what it writes about each of its steps."""
    config, model = task.config, base_model(str(task.config.model.path))
    # Of the selection a training reads the layers alone.
    chosen: Any = SelectResult.model_construct
    layers: Artifact[SelectResult] = Artifact("select", "chosen", _result=chosen(layers=task.layers))
    with tempfile.TemporaryDirectory() as folder, RayCluster(config.execution) as cluster:
        artifacts = Artifacts(Storage(Path(folder)))
        trained = artifacts.make(train_step(config, task.pairs, known(model), layers), cluster)
        losses = read_losses(trained)
        cluster.wait_until_ended()
    steps = _steps(task)
    seconds = [
        sum(len(text.tokens) for text in texts) / loss.tokens_per_second
        for texts, loss in zip(steps, losses, strict=True)
    ]
    print(f"  ours: losses {losses[0].loss:.4f} to {losses[-1].loss:.4f}", flush=True)
    return _repeat(task, steps, sum(seconds[WARM_UP_STEPS:]))


def peer(task: Task) -> Repeat:
    """transformers.Trainer on the same pairs in the same order."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(cores())
    settings, steps = task.config.training, _steps(task)
    reference = base_model(str(task.config.model.path))
    model = AutoModelForCausalLM.from_pretrained(reference.base, dtype=getattr(torch, task.config.model.dtype))
    tune_only(model, reference.family, task.layers, settings.projections)
    texts = [text for step in steps for text in step]
    seconds = seconds_per_step(model, texts, task.micro_batch, settings.batch_size // task.micro_batch)
    assert len(seconds) == len(steps)
    return _repeat(task, steps, sum(seconds[WARM_UP_STEPS:]))


def _steps(task: Task) -> list[list[TokenizedText]]:
    """The texts of every optimizer step, as our training deals them."""
    settings, reference = task.config.training, base_model(str(task.config.model.path))
    tokenizer = load_tokenizer(reference.base)
    texts = tokenize(tokenizer, task.config.prompts, read_pairs(task.pairs), settings.max_length)
    steps = steps_per_epoch(len(texts), settings.batch_size)
    return [
        [texts[index] for index in batch(step, len(texts), settings.batch_size, settings.seed)] for step in range(steps)
    ]


def _repeat(task: Task, steps: list[list[TokenizedText]], seconds: float) -> Repeat:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(task.config.model.path))
    timed = [text for texts in steps[WARM_UP_STEPS:] for text in texts]
    return Repeat(
        seconds=seconds,
        amount=len(timed),
        tokens=sum(len(text.tokens) for text in timed),
        flops=sum(training_flops(config, timed, range(len(task.layers)))),
        texts=digest(text.tokens.tolist() for text in timed),
    )


if __name__ == "__main__":
    main()

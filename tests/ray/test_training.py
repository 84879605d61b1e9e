"""Training through Ray Train and DeepSpeed, against one plain process; kills cost nothing but time."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from slam_ray.cluster.local.head import LocalRay
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import InputError, RunConfig
from slam_ray.corpora import Pair, Prepared, read_pairs
from slam_ray.corpora.prepare import CORPUS_FILE
from slam_ray.models.loading import load_model
from slam_ray.models.reference import TRAINED_FILE, ModelRef, base_model
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Artifacts, Step, known
from slam_ray.store.storage import Storage
from slam_ray.training import TrainResult, read_losses, train_step
from slam_ray.training.batches import batch
from slam_ray.training.last_checkpoint import SNAPSHOT
from tests.artifacts import artifact_of
from tests.configs import run_config
from tests.corpora import fingerprint
from tests.models import tiny_llama
from tests.unit.test_report import selection

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.timeout(900)

TRAINING: dict[str, Any] = {
    "learning_rate": 2e-4, "epochs": 2, "batch_size": 6, "max_length": 160, "pack_length": 200, "seed": 3,
}  # fmt: skip
LAYERS = (0, 2)
TENSORS = [f"model.layers.{layer}.mlp.{name}_proj.weight" for layer in LAYERS for name in ("up", "down")]
PAIRS, TOO_LONG = 22, 2
STEPS = 8
MARKER = 123.0
ROOT = Path(__file__).parents[2]
WAIT_S = 240.0


@dataclass(frozen=True)
class Inputs:
    """Of every training here, on disk under `folder`, so that a driver in another process finds the same."""

    folder: Path

    @property
    def pairs(self) -> Artifact[Prepared]:
        return artifact_of(self.folder / "pairs", "pairs", "pairs")

    @property
    def model(self) -> ModelRef:
        return base_model(str(self.folder / "model"))

    def config(self, workers: int = 1, checkpoint_steps: int = 100, **training: Any) -> RunConfig:
        return run_config(
            model={"path": str(self.folder / "model"), "dtype": "float32"},
            training=TRAINING | training,
            execution={
                "training_workers": workers,
                "checkpoint_steps": checkpoint_steps,
            },
        )

    def step(self, config: RunConfig, **options: Any) -> Step[TrainResult]:
        layers = Artifact("select", "selected", _result=selection(chosen=LAYERS))
        return train_step(config, self.pairs, known(self.model), layers, **options)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    import pyarrow as pa
    import pyarrow.parquet as pq

    inputs = Inputs(tmp_path_factory.mktemp("training"))
    chosen = random.Random(0)
    words = ["tom", "ana", "kauft", "apples", "verkauft", "three", "zwei", "seven", "cars"]

    def text(longest: int) -> str:
        return " ".join(chosen.choice(words) for _ in range(chosen.randint(1, longest)))

    pairs = [Pair(str(number), "de", "question", text(6), text(6)) for number in range(PAIRS)]
    pairs[5:5] = [Pair(f"long {number}", "sw", "answer", "a " * 70, "b") for number in range(TOO_LONG)]
    folder = inputs.folder
    (folder / "pairs").mkdir()
    pq.write_table(pa.Table.from_pylist([vars(pair) for pair in pairs]), folder / "pairs" / CORPUS_FILE)
    tiny_llama(inputs.folder / "model")
    return inputs


def make(inputs: Inputs, storage: str, config: RunConfig, **options: Any) -> Artifact[TrainResult]:
    """Run the training."""
    with RayCluster(config.execution) as cluster:
        artifact = Artifacts(Storage(inputs.folder / storage)).make(inputs.step(config, **options), cluster)
        cluster.wait_until_ended()
    return artifact


@dataclass(frozen=True)
class Plain:
    losses: list[float]
    weights: dict[str, "torch.Tensor"]


@pytest.fixture(scope="module")
def plain(inputs: Inputs) -> Plain:
    """The same training in one process, one pair at a time, without packing, Ray or DeepSpeed."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = inputs.folder / "model"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    weights = {name: weight for name, weight in model.named_parameters() if name in TENSORS}
    optimizer = torch.optim.AdamW(weights.values(), TRAINING["learning_rate"], (0.9, 0.999), 1e-8, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
    pairs = [pair for pair in read_pairs(inputs.pairs) if not pair.id.startswith("long")]
    losses = []
    for step in range(STEPS):
        texts = []
        for index in batch(step, len(pairs), TRAINING["batch_size"], TRAINING["seed"]):
            source = pairs[index].source
            prompt = f"Translate this from [German] to [English]:\n[German]: {source}\n[English]:"
            text = tokenizer(f"{prompt} {pairs[index].english}")["input_ids"]
            start = len(tokenizer(prompt)["input_ids"])
            texts.append((torch.tensor([*text, tokenizer.eos_token_id]), start))
        total = sum(len(tokens) - start for tokens, start in texts)
        optimizer.zero_grad()
        loss = 0.0
        for tokens, start in texts:
            logits = model(tokens[None, :-1]).logits[0, start - 1 :]
            share = torch.nn.functional.cross_entropy(logits, tokens[start:], reduction="sum") / total
            share.backward()
            loss += share.item()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss)
    return Plain(losses, {name: weight.detach() for name, weight in weights.items()})


def assert_equal_to(plain: Plain, artifact: Artifact[TrainResult], losses: list[float]) -> None:
    import torch
    from safetensors.torch import load_file

    assert losses == pytest.approx(plain.losses, abs=1e-5)
    weights = load_file(artifact.file(TRAINED_FILE))
    assert sorted(weights) == sorted(TENSORS)
    for name, weight in weights.items():
        torch.testing.assert_close(weight, plain.weights[name], rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: LocalRay, inputs: Inputs) -> Artifact[TrainResult]:
    return make(inputs, "undisturbed", inputs.config(workers=2))


def test_two_workers_train_as_one_plain_process_does(undisturbed: Artifact[TrainResult], plain: Plain) -> None:
    losses = read_losses(undisturbed)
    assert_equal_to(plain, undisturbed, [loss.loss for loss in losses])
    assert [loss.step for loss in losses] == list(range(1, STEPS + 1))
    assert losses[0].learning_rate == TRAINING["learning_rate"]
    result = undisturbed.result
    assert (result.pairs, result.dropped, result.steps) == (PAIRS, TOO_LONG, STEPS)
    assert result.tensors == TENSORS
    assert result.final_loss == losses[-1].loss


def test_a_training_in_two_parts_is_the_same_training(ray_cluster: LocalRay, inputs: Inputs, plain: Plain) -> None:
    config = inputs.config(workers=2)
    part = make(inputs, "parts", config, share=0.5)
    whole = make(inputs, "parts", config, earlier=part)
    assert part.result.steps == STEPS // 2
    assert whole.fingerprint == fingerprint(inputs.step(config), inputs.folder) != part.fingerprint
    losses = [loss.loss for loss in read_losses(whole)]
    assert losses[: STEPS // 2] == [loss.loss for loss in read_losses(part)], "a step was taken again"
    assert_equal_to(plain, whole, losses)


def test_a_tuned_model_is_the_base_but_for_its_trained_tensors(
    undisturbed: Artifact[TrainResult], inputs: Inputs
) -> None:
    import torch

    tuned = load_model(replace(inputs.model, trained=(undisturbed,)), "float32").state_dict()
    base = load_model(inputs.model, "float32").state_dict()
    assert tuned.keys() == base.keys()
    changed = [name for name in base if not torch.equal(base[name], tuned[name])]
    assert sorted(changed) == sorted(TENSORS)
    trained = sum(base[name].numel() for name in TENSORS)
    everything = sum(tensor.numel() for name, tensor in base.items() if name != "lm_head.weight")  # tied
    assert undisturbed.result.trained_share == pytest.approx(trained / everything)


def test_kills_of_the_driver_and_of_a_worker_cost_nothing_but_time(
    ray_cluster: LocalRay, inputs: Inputs, plain: Plain
) -> None:
    """One worker until the driver is killed, then two, of which one is killed: still the plain process's training."""
    home = (
        inputs.folder / "disturbed" / "artifacts" / "train" / fingerprint(inputs.step(inputs.config()), inputs.folder)
    )
    scratch = home / "scratch" / "train"
    driver = subprocess.Popen(
        [sys.executable, "-m", "tests.ray.test_training", str(inputs.folder), "disturbed"], cwd=ROOT
    )
    try:
        wait_until(lambda: checkpoint(scratch) is not None or driver.poll() is not None)
        driver.send_signal(signal.SIGKILL)
    finally:
        driver.kill()
        driver.wait()
    assert not (home / "record.json").exists()
    wait_until(lambda: not training_workers())
    found = mark(scratch)
    assert 0 < found < STEPS
    (scratch / SNAPSHOT).write_text("")  # as a kill in the moment of writing it leaves it

    killed: list[int] = []

    def kill_a_worker() -> None:
        wait_until(lambda: (latest := checkpoint(scratch)) is not None and step_of(latest) > found)
        killed.append(training_workers()[-1])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    artifact = make(inputs, "disturbed", inputs.config(workers=2, checkpoint_steps=1))
    killer.join()
    assert len(killed) == 1
    losses = [loss.loss for loss in read_losses(artifact)]
    assert losses[0] == MARKER, "went on from step 0 instead of from the checkpoint"
    assert_equal_to(plain, artifact, [plain.losses[0], *losses[1:]])


def test_a_training_that_diverges_says_at_which_step(ray_cluster: LocalRay, inputs: Inputs) -> None:
    with pytest.raises(
        InputError, match=r"diverged at step 2 \(batch 2 of 4 in epoch 1, pairs .*\): .* training\.learning_rate"
    ):
        make(inputs, "diverging", inputs.config(learning_rate=1e30))


def checkpoint(scratch: Path) -> Path | None:
    """The checkpoint that a restart would go on from."""
    try:
        snapshot = json.loads((scratch / SNAPSHOT).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return scratch / snapshot["latest_checkpoint_result"]["checkpoint_dir_name"]


def step_of(folder: Path) -> int:
    try:
        return int(json.loads((folder / "progress.json").read_text())["step"])
    except FileNotFoundError:  # a newer one has taken its place
        return 0


def mark(scratch: Path) -> int:
    """Change the first loss in the history of all checkpoints there; returns the steps that the last one has done."""
    steps = [0]
    for file in scratch.glob("checkpoint_*/progress.json"):
        with contextlib.suppress(json.JSONDecodeError):  # the kill came while it was written
            progress = json.loads(file.read_text())
            progress["losses"][0]["loss"] = MARKER
            file.write_text(json.dumps(progress))
            steps.append(int(progress["step"]))
    return max(steps)


def training_workers() -> list[int]:
    """Process ids of this cluster's training workers."""
    from ray.util.state import list_actors

    actors = list_actors(filters=[("class_name", "=", "RayTrainWorker"), ("state", "=", "ALIVE")])
    return [actor.pid for actor in actors if actor.pid]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


if __name__ == "__main__":
    on_disk = Inputs(Path(sys.argv[1]))
    make(on_disk, sys.argv[2], on_disk.config(checkpoint_steps=1))

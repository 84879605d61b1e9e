"""A vLLM engine that holds other weights than it was given says so before it answers: wrong ones are planted here."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from slam_ray.config import InputError
from slam_ray.evaluation import engine as engine_module
from slam_ray.evaluation.engine import Engine, EngineKind, environment
from slam_ray.models.reference import ModelRef
from slam_ray.models.weights import stored_tensors
from tests.full.test_families_in_vllm import DTYPE, ROOT, model_of, tune
from tests.models import tiny_model

if TYPE_CHECKING:
    import torch

# Of these families: tied embeddings and separate projections; fused ones and an own head; fused and transposed ones.
UP = {
    "llama": "model.layers.{}.mlp.up_proj.weight",
    "phi3": "model.layers.{}.mlp.gate_up_proj.weight",
    "gpt2": "transformer.h.{}.mlp.c_fc.weight",
}
GATE, QKV = "model.layers.0.mlp.gate_proj.weight", "transformer.h.0.attn.c_attn.weight"

Tensors = Iterator[tuple[str, "torch.Tensor"]]
Reading = Callable[[ModelRef, Callable[[str], bool]], Tensors]


def stale_base(family: str) -> Reading:
    """The base's own weights, as from a folder that nobody tuned."""
    return lambda model, wanted: stored_tensors(model.untuned, wanted)


def neighbours_layer(family: str) -> Reading:
    """What layer 2 has in layer 0."""

    def read(model: ModelRef, wanted: Callable[[str], bool]) -> Tensors:
        tensors = dict(stored_tensors(model, wanted))
        yield from (tensors | {UP[family].format(0): tensors[UP[family].format(2)]}).items()

    return read


def half_a_module(family: str) -> Reading:
    """A projection without the other one in its module; where the files have them fused, one of them layer 2's."""

    def read(model: ModelRef, wanted: Callable[[str], bool]) -> Tensors:
        tensors = dict(stored_tensors(model, wanted))
        if family == "llama":
            del tensors[GATE]
        elif family == "phi3":
            tensors[UP[family].format(0)][96:] = tensors[UP[family].format(2)][96:]
        else:
            tensors[QKV][:, 64:128] = tensors[QKV.replace("0", "2")][:, 64:128]
        yield from tensors.items()

    return read


def one_number(family: str) -> Reading:
    """All but a number."""

    def read(model: ModelRef, wanted: Callable[[str], bool]) -> Tensors:
        for name, tensor in stored_tensors(model, wanted):
            if name == UP[family].format(0):
                tensor[7, 5] += 1e-3
            yield name, tensor

    return read


# The plants in a change of weights, by the tensors in which they are found.
CHANGES: dict[tuple[str, Callable[[str], Reading]], str] = {
    **{("llama", plant): UP["llama"].format(0) for plant in (stale_base, neighbours_layer, one_number)},
    ("llama", half_a_module): GATE,
    **{("phi3", plant): UP["phi3"].format(0) for plant in (stale_base, half_a_module)},
    ("gpt2", stale_base): UP["gpt2"].format(0),
    ("gpt2", half_a_module): QKV,
}
# Tensors of which one number is wrong in the base that an engine starts with.
LOADED = (
    ("llama", "model.layers.1.self_attn.k_proj.weight"),
    ("phi3", "lm_head.weight"),
    ("gpt2", "transformer.wte.weight"),
    ("gpt2", "transformer.ln_f.bias"),
)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an engine said of each plant, with nothing where it took it for what it was given."""
    folder = tmp_path_factory.mktemp("planted")
    for family in UP:
        tiny_model(folder / family / "base", family, tied=family != "phi3")
        tune(folder / family, "ffn")
    command = [sys.executable, "-m", "tests.full.test_loaded_weights", str(folder)]
    settings = os.environ | environment(1)
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("family", "plant"), CHANGES)
def test_wrong_weights_after_a_change_are_named(
    family: str, plant: Callable[[str], Reading], said: dict[str, str]
) -> None:
    message = said[f"{family} {plant.__name__}"]
    assert message.startswith("the engine in process ")
    assert f"/{family}/base with what the training 00000000000000000ffn tuned: " in message
    assert f" numbers of {CHANGES[family, plant]} are others" in message
    assert ("1 of " in message) == (plant is one_number)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("family", "tensor"), LOADED)
def test_wrong_weights_at_the_start_are_named(family: str, tensor: str, said: dict[str, str]) -> None:
    assert f"/{family}/base: 1 of " in said[f"{family} {tensor}"]
    assert f" numbers of {tensor} are others" in said[f"{family} {tensor}"]


def changed(folder: Path, family: str, plant: Callable[[str], Reading]) -> str:
    """What an engine on the base says of a plant when it is to be the tuned model."""
    engine = Engine()
    engine.load(model_of(folder / family, "base"), EngineKind(DTYPE, 1024), gpu=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "stored_tensors", plant(family))
        return of_loading(engine, model_of(folder / family, "ffn"))


def started(folder: Path, family: str, tensor: str) -> str:
    """What an engine says that starts with one number of a tensor wrong."""
    base = model_of(folder / family, "base")
    wrong = wrong_base(base.base, folder / f"{family} {tensor}", tensor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "without_strays", lambda given: contextlib.nullcontext(wrong))
        return of_loading(Engine(), base)


def of_loading(engine: Engine, model: ModelRef) -> str:
    try:
        engine.load(model, EngineKind(DTYPE, 1024), gpu=False)
    except InputError as error:
        return str(error)
    return ""


def wrong_base(base: Path, folder: Path, tensor: str) -> Path:
    """A copy of a checkpoint in which one number of a tensor is another."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(base, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors[tensor].view(-1)[-3] += 1e-3
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def plant_all(folder: Path) -> None:
    """Print what was said: one process for all, because vLLM takes long to import."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    said = {}
    for family, plant in CHANGES:
        said[f"{family} {plant.__name__}"] = changed(folder, family, plant)
        cleanup_dist_env_and_memory()
    for family, tensor in LOADED:
        said[f"{family} {tensor}"] = started(folder, family, tensor)
        cleanup_dist_env_and_memory()
    print(json.dumps(said))


if __name__ == "__main__":
    plant_all(Path(sys.argv[1]))

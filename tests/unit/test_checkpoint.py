"""A checkpoint is what its index names, or model.safetensors, and what trainings add; a quantised one is refused."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from slam_ray.config import InputError
from slam_ray.models.checkpoint import without_strays
from slam_ray.models.loading import load_model, load_tokenizer
from slam_ray.models.reference import TRAINED_FILE, ModelRef, base_model, tuned
from slam_ray.store.step import Artifacts, known
from slam_ray.store.storage import Storage
from slam_ray.training.worker import as_stored
from tests.artifacts import artifact_of
from tests.corpora import cases
from tests.models import tiny_llama, tiny_model

INDEX = "model.safetensors.index.json"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
STRAYS = ("consolidated.safetensors", "model.bf16.safetensors", "model_old.safetensors", "adapter_model.safetensors")
UP, DOWN = "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.down_proj.weight"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return tiny_llama(tmp_path / "whole")


@pytest.fixture
def sharded(whole: Path) -> Path:
    """The same in two files and an index."""
    folder = whole.parent / "sharded"
    shutil.copytree(whole, folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    mapped = {name: SHARDS[index > len(names) // 2] for index, name in enumerate(names)}
    for shard in SHARDS:
        save_file({name: tensors[name] for name in names if mapped[name] == shard}, folder / shard, {"format": "pt"})
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": mapped}))
    return folder


def add_strays(folder: Path) -> None:
    """Other weights under the model's own names, and what leads libraries to them."""
    other = {name: tensor + 1 for name, tensor in load_file(next(folder.glob("model*.safetensors"))).items()}
    for name in STRAYS:
        save_file(other, folder / name, {"format": "pt"})
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "params.json").write_text('{"dim": 64}')
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "nobody/nothing"}')
    (folder / "consolidated.safetensors.index.json").write_text('{"weight_map": {}}')


def test_a_second_training_adds_to_the_first(whole: Path, tmp_path: Path) -> None:
    shapes = {name: tensor.shape for name, tensor in load_file(whole / "model.safetensors").items()}
    trainings = []
    for number, names in enumerate(((UP, DOWN), (DOWN,)), start=1):
        (tmp_path / str(number)).mkdir()
        delta = {name: torch.full(shapes[name], float(number)) for name in names}
        save_file(delta, tmp_path / str(number) / TRAINED_FILE)
        trainings.append(artifact_of(tmp_path / str(number), fingerprint=f"{number:020}"))
    first, second = trainings
    model = Artifacts(Storage(tmp_path))[tuned(tuned(known(base_model(str(whole))), first), second)]
    assert (model.trained, model.fingerprint) == ((first, second), second.fingerprint)
    loaded = load_model(model, "float32").state_dict()
    assert (loaded[UP].unique().tolist(), loaded[DOWN].unique().tolist()) == ([1.0], [2.0])


@pytest.mark.parametrize("kind", ["whole", "sharded"])
def test_other_weights_beside_a_checkpoint_are_no_part_of_it(kind: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(kind)
    alone = base_model(str(folder))
    with without_strays(folder) as same:
        assert same == folder, "nothing to leave out"
    expected = load_model(alone, "float32").state_dict()
    add_strays(folder)
    base = base_model(str(folder))
    assert base.manifest == alone.manifest

    up = torch.ones_like(expected[UP])
    (folder.parent / "trained").mkdir()
    save_file(as_stored(base, {UP: up}, "float32"), folder.parent / "trained" / TRAINED_FILE)
    variant = ModelRef(folder, base.manifest, (artifact_of(folder.parent / "trained"),))
    with without_strays(folder) as links:
        assert (links.name, {file.name for file in links.iterdir()}) == (folder.name, set(dict(alone.manifest)))
    assert not links.exists()
    for model in (base, variant):
        loaded = load_model(model, "float32").state_dict()
        wanted = expected | ({UP: up} if model is variant else {})
        assert all(torch.equal(loaded[name], tensor) for name, tensor in wanted.items())


def test_mistrals_own_tokenizer_is_not_taken_for_the_checkpoints(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "mistral")
    tokens = load_tokenizer(folder)("So many pens.")["input_ids"]
    (folder / "tekken.json").write_text("{}")
    assert load_tokenizer(folder)("So many pens.")["input_ids"] == tokens


def test_an_index_that_does_not_fit_its_files_is_named(sharded: Path, whole: Path) -> None:
    index = json.loads((sharded / INDEX).read_text())
    (first, held), *_ = index["weight_map"].items()

    def refused(part: str) -> None:
        with pytest.raises(InputError) as caught:
            base_model(str(sharded))
        assert part in str(caught.value)

    other = next(shard for shard in SHARDS if shard != held)
    (sharded / INDEX).write_text(json.dumps({"weight_map": index["weight_map"] | {first: other}}))
    refused(f"has {first} in {other}, which lacks it")
    (sharded / INDEX).write_text(json.dumps({"weight_map": index["weight_map"] | {"gone": other}}))
    refused(f"has gone in {other}, which lacks it")
    (sharded / INDEX).write_text(json.dumps(index))
    shutil.copyfile(whole / "model.safetensors", sharded / "model.safetensors")
    refused(f"names {SHARDS[0]}, but model.safetensors is there too")
    (sharded / "model.safetensors").unlink()
    both = load_file(sharded / other) | {first: load_file(sharded / held)[first]}
    save_file(both, sharded / other, {"format": "pt"})
    refused(f"tensor {first} is in {SHARDS[0]} and in {SHARDS[1]}")


def test_an_index_may_name_the_one_file(whole: Path) -> None:
    with safe_open(whole / "model.safetensors", framework="pt") as stream:
        mapped = dict.fromkeys(stream.keys(), "model.safetensors")
    (whole / INDEX).write_text(json.dumps({"weight_map": mapped}))
    with without_strays(base_model(str(whole)).base) as folder:
        assert folder == whole


@pytest.mark.parametrize("case", cases("quantised_checkpoints"), ids=lambda case: case["method"])
def test_a_quantised_checkpoint_is_refused_by_its_method(case: dict[str, Any], whole: Path) -> None:
    file = whole / case["file"]
    present = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(present | case["settings"]))
    (whole / "model.safetensors").unlink()  # the weights need not be there
    method = case["method"]
    with pytest.raises(InputError, match=rf"whole is quantised \({method}\); tuning needs .* unquantised checkpoint"):
        base_model(str(whole))


@pytest.mark.parametrize(
    ("tensors", "sign"),
    [
        ({UP: torch.zeros(96, 64, dtype=torch.float8_e4m3fn)}, "F8_E4M3"),
        ({UP: torch.zeros(96, 64, dtype=torch.int8)}, "I8"),
        ({UP.replace("weight", "qweight"): torch.zeros(64, 12, dtype=torch.int32)}, "I32"),
        ({f"{UP}_scale_inv": torch.ones(1, 1)}, "F32"),
        ({f"{UP}.absmax": torch.zeros(96, dtype=torch.uint8)}, "U8"),
    ],
)
def test_quantised_weights_are_noticed_without_settings(
    tensors: dict[str, torch.Tensor], sign: str, whole: Path
) -> None:
    save_file(load_file(whole / "model.safetensors") | tensors, whole / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=rf"is quantised \(.*up_proj.* is {sign}\)"):
        base_model(str(whole))


def test_other_integer_tensors_are_no_sign_of_quantisation(whole: Path) -> None:
    beside = {"model.layers.0.attn.bias": torch.ones(4, dtype=torch.uint8), "model.position_ids": torch.arange(4)}
    save_file(load_file(whole / "model.safetensors") | beside, whole / "model.safetensors", {"format": "pt"})
    config = whole / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"quantization_config": None}))
    base_model(str(whole))


def test_gguf_alone_is_named(whole: Path) -> None:
    (whole / "model.safetensors").rename(whole / "model.Q4_K_M.gguf")
    with pytest.raises(InputError, match=r"holds the weights as GGUF; give the checkpoint in safetensors"):
        base_model(str(whole))


def test_files_are_hashed_once_unless_they_change(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = base_model(str(whole)).fingerprint
    monkeypatch.setattr("slam_ray.models.reference.sha256", lambda file: pytest.fail(f"{file} is read again"))
    assert base_model(str(whole)).fingerprint == before
    monkeypatch.undo()
    state = (whole / "config.json").stat()
    text = (whole / "config.json").read_text()
    (whole / "config.json").write_text(text.replace('"vocab_size": 259', '"vocab_size": 260'))
    os.utime(whole / "config.json", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert base_model(str(whole)).fingerprint != before, "also where only the content tells"

"""A sample of the thousands of tests/full/test_bad_input.py, and what they have found."""

import datetime
import json
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slam_ray.activations import read_counts
from slam_ray.activations.unit_counts import saved_units
from slam_ray.cli import main
from slam_ray.config import InputError, load_config, path_of
from slam_ray.models.loading import load_model
from slam_ray.models.reference import ModelRef, base_model
from slam_ray.search import SearchDirectory
from slam_ray.store.local import LocalLocation
from slam_ray.store.storage import Storage
from tests.broken import (
    ACTIVATED,
    LAYOUTS,
    NO_NAME,
    NO_PATH,
    NO_SPLIT,
    NO_YAML,
    Marked,
    fresh,
    throw_configurations,
    throw_data_files,
    valid_inputs,
)
from tests.published import FIXTURES

EXAMPLES = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return valid_inputs(tmp_path_factory.mktemp("valid"))


def test_broken_configurations(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert throw_configurations(EXAMPLES, folder, tmp_path, capsys).refused >= EXAMPLES / 2


def test_broken_data_files(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert throw_data_files(EXAMPLES, folder, tmp_path, capsys).refused >= EXAMPLES / 2


@pytest.mark.parametrize("text", NO_YAML, ids=lambda text: text[:20])
def test_yaml_that_is_none(text: str, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text((folder / "run.yaml").read_text() + f"\nlimit: {text}\n")
    with pytest.raises(InputError, match=r"mine\.yaml"):
        load_config(str(file), {})


@pytest.mark.parametrize("text", NO_PATH[:-1], ids=lambda text: repr(text[:20]))
def test_a_path_that_is_none(text: str, folder: Path) -> None:
    with pytest.raises(InputError, match=r"^storage: .* cannot be a path \(.+\)$"):
        path_of(text, "storage", folder)


@pytest.mark.parametrize("name", NO_NAME, ids=repr)
def test_what_becomes_a_name_is_a_plain_one(name: str, folder: Path, tmp_path: Path) -> None:
    run_yaml = str(folder / "run.yaml")
    with pytest.raises(InputError, match=r"name: String should"):
        load_config(run_yaml, {"name": name})
    with pytest.raises(InputError, match=r"corpora\.benchmarks"):
        load_config(run_yaml, {f"corpora.benchmarks.{name}": "x.jsonl"})


@pytest.mark.parametrize("split", NO_SPLIT, ids=lambda split: repr(split[:20]))
def test_a_split_leaves_no_folder(split: str, folder: Path) -> None:
    with pytest.raises(InputError, match=r"corpora\.questions\.split: String should"):
        load_config(str(folder / "run.yaml"), {"corpora.questions": json.dumps({"path": str(folder), "split": split})})


def test_a_password_is_neither_taken_nor_shown(folder: Path) -> None:
    with pytest.raises(InputError, match=r"search\.mlflow: give MLFLOW_TRACKING_USERNAME") as caught:
        load_config(str(folder / "run.yaml"), {"search.mlflow": "https://me:canary@host/"})
    assert "canary" not in str(caught.value)


def test_a_long_message_keeps_its_ends_and_steers_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text(json.dumps({"\x1b[2J" + "k" * 99999: 1, "answer": 1}) + "\n")
    assert main(["score", str(file), "--language", "sw"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {file}:1: no key 'response'; the line holds \\x1b[2Jkkk")
    assert said.endswith("kkk, answer\n")
    assert len(said) < 2000


@pytest.mark.parametrize(
    ("column", "values"),
    [("id", pa.array([2**62, 1], pa.timestamp("us"))), ("question", pa.array([2**62, 1], pa.duration("s")))],
    ids=["date", "duration"],
)
def test_parquet_of_times_that_python_has_not(
    column: str, values: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {"id": ["1", "2"], "language": ["en", "sw"], "question": [str(datetime.date(2000, 1, 1))] * 2}
    pq.write_table(pa.table({**rows, column: values}), tmp_path / "q.parquet")
    argv = [str(folder / "run.yaml"), "--dry-run", "--corpora.questions", str(tmp_path / "q.parquet")]
    assert main(["search", *argv]) == 2
    assert f"{tmp_path}/q.parquet: not Parquet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("layout", "row", "said"),
    [
        ("msvamp", {"m_query": "\ud800", "response": "1"}, ":1: m_query holds half of a surrogate pair"),
        ("gsm8k", {"question": "\ud800", "answer": "#### 1"}, ":1: question holds half of a surrogate pair"),
        ("xcsqa", {"id": "1", "question": {"stem": "\ud800", "choices": []}}, ":1: question holds half of a"),
        ("xcsqa", {"id": {}, "question": {"stem": "x", "choices": []}}, ":1: needs an id and a question"),
        ("xcsqa", {"id": "1", "question": {"stem": "x", "choices": {"label": ["A"], "text": []}}}, ":1: needs an id"),
    ],
)
def test_a_row_of_a_published_layout_is_named(
    layout: str, row: dict[str, Any], said: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = fresh(tmp_path / layout, FIXTURES / layout)
    format_, _, split, pattern = LAYOUTS[layout]
    file = sorted(copy.glob(pattern))[0]
    file.write_text(json.dumps(row) + "\n")
    source = {"path": str(copy), "format": format_, "split": split}
    argv = ["run", str(folder / "run.yaml"), "--dry-run", "--corpora.benchmarks.own", json.dumps(source)]
    assert main(argv) == 2
    assert f"{file}{said}" in capsys.readouterr().err


def test_a_language_without_tokens_is_named(tmp_path: Path) -> None:
    activated = ACTIVATED * np.array([1, 0])[:, None, None]
    np.savez(tmp_path / "counts.npz", languages=["en", "sw"], activated=activated, tokens=[10, 0])
    with pytest.raises(InputError, match=r"counts\.npz: sw: no tokens were counted"):
        read_counts(tmp_path / "counts.npz")


def test_no_pickle_is_loaded(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of counts, of units that an attempt saved, of a checkpoint whose weights are not where they are looked for."""
    marker = tmp_path / "unpickled"
    pickled = np.array([Marked(marker)], dtype=object)
    np.savez(tmp_path / "counts.npz", languages=pickled, activated=pickled, tokens=pickled)
    assert main(["select", str(tmp_path / "counts.npz")]) == 2
    assert "Object arrays cannot be loaded" in capsys.readouterr().err
    np.save(tmp_path / "0.npy", pickled)
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        list(saved_units(LocalLocation(tmp_path)))
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (model / name).write_bytes((folder / "model" / name).read_bytes())
    (model / "other.safetensors").write_bytes((folder / "model" / "model.safetensors").read_bytes())
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Marked(marker)))
    with pytest.raises(InputError, match=r"without which pickled weights would be looked for"):
        base_model(str(model))
    with pytest.raises(InputError, match=r"without which pickled weights would be looked for"):
        load_model(ModelRef(model, ()), "float32")
    assert not marker.exists()
    pickle.loads((model / "pytorch_model.bin").read_bytes())
    assert marker.exists(), "they would have been seen"


def test_a_damaged_search_is_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [str(folder / "run.yaml"), "--dry-run", "--storage", str(tmp_path)]
    search = tmp_path / "searches" / "run"
    search.mkdir(parents=True)
    for name, content in (
        ("search.json", b"{"),
        ("config.yaml", b"a: ["),
        ("config.yaml", b"\xff"),
        ("config.yaml", b""),
    ):
        (search / name).write_bytes(content)
        assert main(["search", *argv]) == 2
        assert f"{search / name} is not as the search wrote it; remove {search}" in capsys.readouterr().err


def test_a_search_does_not_go_on_from_pickles_of_another_user(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(str(folder / "run.yaml"), {"storage": str(tmp_path)})
    directory = SearchDirectory(config, Storage.of(config))
    directory.start()
    directory.check()
    trials = directory.path / "trials"
    assert stat.S_IMODE(trials.stat().st_mode) == 0o700
    trials.chmod(0o777)
    with pytest.raises(InputError, match=r"trials is no folder that only this user writes to"):
        directory.check()
    trials.chmod(0o700)
    if os.geteuid() == 0:  # who else can give a folder away?
        os.chown(trials, 12345, -1)
        assert main(["search", str(folder / "run.yaml"), "--storage", str(tmp_path)]) == 2
        assert f"remove {directory.path}" in capsys.readouterr().err
    trials.rename(tmp_path / "elsewhere")
    trials.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"trials is no folder"):
        directory.check()


def test_a_damaged_run_keeps_its_artifacts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "artifacts" / "count" / "0123").mkdir(parents=True)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "artifacts.json").write_text("{")
    assert main(["artifacts", "gc", "--days", "0", "--storage", str(tmp_path)]) == 2
    assert "artifacts.json does not say what the run holds" in capsys.readouterr().err
    assert (tmp_path / "artifacts" / "count" / "0123").exists()


def test_a_message_is_short_also_where_its_characters_have_to_be_spelled_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["score", "\U00018d09" * 1000, "--language", "sw"]) == 2
    assert len(capsys.readouterr().err) < 2000

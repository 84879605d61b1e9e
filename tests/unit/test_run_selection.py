"""What a run and a search say of their layers before or instead of training: no Ray is started."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from slam_ray.activations import COUNTS_FILE, CountResult, write_counts
from slam_ray.cli import main
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ExecutionConfig, InputError, load_config
from slam_ray.models.reference import ModelRef
from slam_ray.recipes.checks import check_parts
from slam_ray.recipes.slam import slam
from slam_ray.store.step import Artifacts, Attempt, steps_to
from slam_ray.store.storage import Storage
from tests.unit.test_selection import falling


def falling_counts(attempt: Attempt) -> CountResult:
    """Counts whose overlap is highest in layer 0."""
    write_counts(attempt.directory / COUNTS_FILE, falling())
    return CountResult(languages=("en", "sw"), tokens={"en": 10, "sw": 10}, questions=1, groups=1, layers=5, neurons=10)


def test_a_run_that_selects_nothing_keeps_figures_and_shows_what_else_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config("demo", {"storage": str(tmp_path), "limit": "4"})
    storage = Storage.of(config)
    artifacts = Artifacts(storage)
    (selection,) = (step for step in steps_to(slam(config).report) if step.label == "select")
    with RayCluster(ExecutionConfig()) as cluster:
        for step in steps_to(selection)[:-1]:
            artifacts.make(replace(step, run=falling_counts) if step.label == "count" else step, cluster)
    capsys.readouterr()
    asked = ["demo", "--storage", str(tmp_path), "--limit", "4", "--selection.theta_factor", "9"]
    assert main(["run", *asked]) == 2
    said = capsys.readouterr()
    assert "count: done before" in said.out
    message = said.err.strip()
    assert message.startswith(
        "error: no layer is selected: of the language-specific layers 0 to 2 none has an MSD above"
    )
    assert "the overlap is highest in layer 0 (0.900); of the layers from 2 on, in layer 3 (0.700)" in message
    assert "[...]" not in message
    assert sum(line.startswith(("jaccard", "coverage", "english")) for line in message.splitlines()) == 9
    figures = message.rpartition("figures: ")[2].split()
    folder = storage.root / "runs" / "demo"
    assert figures == [str(folder / f"nothing_selected_{name}.png") for name in ("activated_share", "overlap", "msd")]
    assert all(Path(file).read_bytes().startswith(b"\x89PNG") for file in figures)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--selection.layers", "[0,8]"], "selection.layers: there is no layer 8; the model has layers 0 to 7"),
        (["--selection.first", "9"], "selection.first: there are no 9 layers; the model has 8"),
        (["--training.pack_length", "64"], "training.pack_length is 64: must be at least training.max_length"),
    ],
)
def test_a_run_that_cannot_be_trained_is_refused_before_it_counts(
    asked: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ([], ["--dry-run"]):
        assert main(["run", "demo", "--storage", str(tmp_path), "--limit", "4", *asked, *more]) == 2
        assert said in capsys.readouterr().err
    assert not list(tmp_path.rglob("artifacts/count"))


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            {"selection.layers": {"choice": ["0-7", "7-9"]}},
            "search.space.selection.layers: [7, 8, 9] cannot be tried: selection.layers: there is no layer 8; the model"
            " has layers 0 to 7",
        ),
        (
            {"selection.first": {"choice": [8, 9]}},
            "search.space.selection.first: 9 cannot be tried: selection.first: there are no 9 layers; the model has 8",
        ),
    ],
)
def test_points_that_the_model_cannot_have_are_refused_before_the_first_trial(
    space: dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        "demo",
        "--storage",
        str(tmp_path),
        "--limit",
        "4",
        "--search.trials",
        "3",
        "--search.space",
        json.dumps(space),
    ]
    assert main(["search", *asked, "--dry-run"]) == 2
    assert f"error: {said}\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "changes", "said"),
    [
        ({"model_type": "gpt2", "n_layer": 3}, {"selection.layers": "[2]"}, ""),
        (
            {"model_type": "gpt2", "n_layer": 3},
            {"selection.layers": "[3]"},
            "there is no layer 3; the model has layers 0",
        ),
        (
            {"model_type": "gpt2"},
            {"training.projections": "[gate]"},
            "layers have no 'gate'; they have up, down, q, k, v",
        ),
        (
            {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "num_hidden_layers": 5}},
            {"selection.first": "6"},
            "there are no 6 layers; the model has 5",
        ),
    ],
)
def test_the_layers_of_every_kind_of_checkpoint_are_known(
    model: dict[str, object], changes: dict[str, str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(model))
    config = load_config("demo", changes)
    if said:
        with pytest.raises(InputError, match=said):
            check_parts(config, ModelRef(tmp_path, ()))
    else:
        check_parts(config, ModelRef(tmp_path, ()))

"""`slam-ray select`: one JSON object in the last line; one `error:` line and exit code 2 for bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slam_ray.activations import write_counts
from slam_ray.cli import main
from tests.unit.test_selection import falling

FIGURES = {"activated_share.png", "overlap.png", "msd.png"}
JOB = Path(__file__).parents[2] / "jobs" / "select_layers.py"


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """English and Swahili over ten tokens: layer 1 stands out before their overlap is highest in layer 2."""
    activated = np.array([[[9, 7, 2, 0], [8, 8, 8, 0], [9, 9, 1, 1]], [[1, 0, 7, 0], [9, 3, 0, 0], [8, 8, 0, 8]]])
    np.savez(tmp_path / "counts.npz", languages=["en", "sw"], activated=activated, tokens=[10, 10])
    return tmp_path / "counts.npz"


def test_it_selects_and_draws(counts: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(JOB), str(counts), "--theta-factor", "0.5", "--figures", str(tmp_path / "figures")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["k_end"], result["layers"], result["stability"]) == (2, [0, 1], [])
    assert len(result["overlap"]["sw"]) == len(result["mean_overlap"]) == len(result["msd"]) == 3
    assert {file.name for file in (tmp_path / "figures").iterdir()} == FIGURES
    assert [line.split() for line in done.stdout.splitlines()[1:4]] == [
        ["overlap", "neuron_share", "highest", "in", "from", "2", "on", "K", "selects"],
        ["jaccard", "0.3", "2", "2", "0-1", "0-1"],
        ["jaccard", "0.5*", "2", "2", "0-1", "0-1"],
    ]
    assert len(result["alternatives"]) == 9
    assert (result["alternatives"][1]["configured"], result["alternatives"][1]["layers"]) == (True, [0, 1])
    assert "of the layers from 2 on, in" not in done.stdout


def test_where_the_papers_rule_has_no_answer_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_counts(tmp_path / "counts.npz", falling())
    assert main(["select", str(tmp_path / "counts.npz")]) == 0
    out = capsys.readouterr().out
    assert "the overlap is highest in layer 0 (0.900); of the layers from 2 on, in layer 3 (0.700)" in out
    assert json.loads(out.splitlines()[-1])["layers"] == [1]


def test_what_selects_nothing_is_drawn_and_tabled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_counts(tmp_path / "counts.npz", falling())
    argv = ["select", str(tmp_path / "counts.npz"), "--theta-factor", "9", "--figures", str(tmp_path / "figures")]
    assert main(argv) == 2
    assert {file.name for file in (tmp_path / "figures").iterdir()} == FIGURES
    error, *table = capsys.readouterr().err.splitlines()
    assert error.startswith("error: no layer is selected: of the language-specific layers 0 to 2 none has an MSD above")
    assert "highest in layer 0 (0.900); of the layers from 2 on, in layer 3 (0.700)" in error
    assert len(table) == 1 + 2 + 9
    assert table[4].split() == ["jaccard", "0.5*", "0", "3", "0-2", "none"]


def test_groups_add_to_the_stability_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(5)
    tokens = rng.integers(90, 110, size=(4, 3))
    weight = np.minimum(np.arange(6) / 3, 1)[:, None]
    rate = weight * rng.random((6, 16)) + (1 - weight) * rng.random((3, 6, 16))
    activated = np.floor(rate * tokens[..., None, None]).astype(np.int64)
    languages = ["sw", "en", "th"]
    np.savez(tmp_path / "groups.npz", languages=languages, activated=activated, tokens=tokens)
    np.savez(tmp_path / "all.npz", languages=languages, activated=activated.sum(0), tokens=tokens.sum(0))
    found = []
    for name in ("all", "groups"):
        assert main(["select", str(tmp_path / f"{name}.npz")]) == 0
        found.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    without, grouped = found
    # Without groups the two other languages are left out, with them also each of the four groups.
    assert (without.pop("resamples"), grouped.pop("resamples")) == (2, 6)
    assert [share * 2 == round(share * 2) for share in without["stability"]] == [True] * 6
    assert len(grouped.pop("stability")) == len(without.pop("stability")) == 6
    assert without == grouped
    wanted = {"share", "overlap", "mean_overlap", "k_end", "msd", "theta", "layers"}
    assert wanted <= grouped.keys()


def test_a_model_of_two_layers_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    activated = np.array([[[9, 9], [9, 0]], [[9, 9], [0, 9]]])
    np.savez(tmp_path / "counts.npz", languages=["en", "sw"], activated=activated, tokens=[10, 10])
    assert main(["select", str(tmp_path / "counts.npz")]) == 2
    assert "error: no layer is selected: the rule needs a model of at least 3 layers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--overlap", "dice"], "--overlap: Input should be 'jaccard', 'coverage' or 'english', got 'dice'"),
        (["--neuron-share", "1.5"], "--neuron-share: Input should be less than 1"),
        (["--max-layer-share", "0"], "--max-layer-share: Input should be greater than 0"),
        (["--figures", __file__], "is no folder"),
    ],
)
def test_bad_input_is_explained(
    counts: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["select", str(counts), *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert said in message
    assert len(message.splitlines()) == 1


def test_a_missing_file_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["select", str(tmp_path / "none.npz")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/none.npz: not an .npz file")

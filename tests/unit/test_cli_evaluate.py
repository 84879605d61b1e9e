"""`slam-ray evaluate`: benchmarks of the Hub by name, elsewhere by a path, one's own; and what is wrong."""

from pathlib import Path

import pytest

from slam_ray.cli import main
from slam_ray.config import InputError, SourceConfig
from slam_ray.corpora.hub_benchmarks import BENCHMARKS
from slam_ray.recipes.evaluate import evaluation_config
from tests.models import tiny_llama
from tests.published import FIXTURES


def test_benchmarks_by_name_by_path_and_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = {"corpora.benchmarks.mgsm.path": "m", "corpora.benchmarks.mine": "mine.jsonl", "limit": "5"}
    config = evaluation_config("me/my model-7b".replace(" ", "_"), "mgsm, msvamp", overrides)
    assert (config.model.hub, config.limit, config.name) == ("me/my_model-7b", 5, "my_model-7b-mgsm-msvamp-mine")
    assert config.corpora.benchmarks == {
        "mgsm": SourceConfig(path=str(tmp_path / "m"), format="mgsm"),
        "msvamp": BENCHMARKS["msvamp"],
        "mine": str(tmp_path / "mine.jsonl"),
    }
    (tmp_path / "a folder").mkdir()
    assert evaluation_config("a folder", "gsm8k", {}).model.path == str(tmp_path / "a folder")
    assert evaluation_config("a folder", "gsm8k", {}).name == "a-folder-gsm8k"


@pytest.mark.parametrize(
    ("model", "benchmarks", "said"),
    [
        ("me/tiny", "mgms", "--benchmarks: unknown benchmark 'mgms': did you mean 'mgsm'"),
        ("me/tiny", "", "nothing to evaluate on: give --benchmarks mgsm,msvamp"),
        ("no-such-folder", "mgsm", "no such folder: no-such-folder; give one that holds a checkpoint, or a name"),
    ],
)
def test_what_is_wrong_is_named(model: str, benchmarks: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        evaluation_config(model, benchmarks, {})


def test_a_dry_run_reads_the_problems_and_keeps_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tiny_llama(tmp_path / "base")
    argv = ["evaluate", str(base), "--benchmarks", "mgsm", "--storage", str(tmp_path / "s"), "--dry-run"]
    argv += ["--corpora.benchmarks.mgsm.path"]
    assert main([*argv, str(FIXTURES / "mgsm")]) == 3
    labels = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert labels == ["problems mgsm", "generate base mgsm", "score base mgsm"]
    assert not (tmp_path / "s").exists()
    assert main([*argv, str(tmp_path / "nowhere")]) == 2
    assert "corpora.benchmarks.mgsm: no such file or folder" in capsys.readouterr().err

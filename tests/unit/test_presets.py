"""The presets that ship: each loads, is planned without a network, and has the paper's settings where it claims to."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slam_ray.config import InputError, SourceConfig, load_config, presets
from slam_ray.corpora.hub_benchmarks import BENCHMARKS
from tests.models import tiny_llama

ROOT = Path(__file__).parents[2]
MATH = ("metamath-7b", "metamath-13b", "muggle-7b", "muggle-13b")
INSTRUCT = ("qwen3-8b", "llama3-8b-instruct")
MONO = "llama2-mono-7b"  # its base is made by the user
MATH_LANGUAGES = {"bn", "th", "sw", "ja", "zh", "de", "fr", "ru", "es", "en"}


def dry_run(storage: Path, *words: str) -> tuple[dict[str, str], float]:
    """Label -> state of each step, with the Hub out of reach and nothing of it on this machine; and the seconds."""
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:1", "HF_HOME": str(storage / "home")}
    command = [sys.executable, str(ROOT / "jobs" / "run_slam.py"), *words, "--dry-run", "--storage", str(storage)]
    started = time.monotonic()
    ended = subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended.stderr
    lines = (line.rpartition("  ") for line in ended.stdout.splitlines())
    return {label.strip(): state for label, _, state in lines}, time.monotonic() - started


def test_these_presets_ship() -> None:
    assert set(presets()) == {"demo", *MATH, *INSTRUCT, MONO}


@pytest.mark.parametrize("preset", [*MATH, *INSTRUCT])
def test_a_preset_is_planned_without_a_network(preset: str, tmp_path: Path) -> None:
    states, seconds = dry_run(tmp_path, preset)
    config = load_config(preset, {})
    fetched = {label for label, state in states.items() if label.startswith("fetch ") and state == "to do"}
    assert fetched == {
        f"fetch {config.model.hub}",
        "fetch Mathoctopus/GSM8KInstruct_Parallel (mgsm8kinstruct train)",
        "fetch juletxara/mgsm (mgsm test)",
        "fetch Mathoctopus/MSVAMP (msvamp test)",
    }
    assert states["questions"] == "depends on fetch Mathoctopus/GSM8KInstruct_Parallel (mgsm8kinstruct train)"
    assert states["problems mgsm"] == "depends on fetch juletxara/mgsm (mgsm test)"
    assert states["generate base mgsm"] == "depends on problems mgsm"
    assert set(config.corpora.languages or ()) == MATH_LANGUAGES
    assert not list(tmp_path.glob("artifacts/*")), "a dry run keeps nothing"
    assert seconds < 15, "seconds on an idle machine are 2; this one may be busy"


def test_the_preset_whose_base_the_user_makes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model: give one of path and hub"):
        load_config(MONO, {})
    text = (ROOT / "slam_ray" / "presets" / f"{MONO}.yaml").read_text()
    assert "Llama2-mono" in text
    assert "--model.path" in text
    base = tiny_llama(tmp_path / "mono")
    states, _ = dry_run(tmp_path, MONO, "--model.path", str(base))
    assert states["fetch INK-USC/xcsr (xcsqa validation)"] == "to do"
    assert states["fetch openlanguagedata/flores_plus (parallel dev)"] == "to do"
    assert states["pairs"] == "depends on fetch INK-USC/xcsr (xcsqa test)"
    config = load_config(MONO, {"model.path": str(base)})
    assert (config.training.epochs, config.training.max_length) == (3, 512)
    assert config.prompts.choice.endswith("### Response:")
    assert len(config.corpora.languages or ()) == 16


@pytest.mark.parametrize("preset", MATH)
def test_the_papers_presets_have_the_papers_settings(preset: str) -> None:
    config = load_config(preset, {})
    training = config.training
    assert (training.learning_rate, training.epochs, training.batch_size, training.max_length) == (2e-5, 4, 512, 1024)
    assert training.projections == ("up", "down")
    assert (config.evaluation.max_new_tokens, config.model.dtype) == (512, "bfloat16")
    assert config.prompts.reasoning.endswith("### Response: Let's think step by step.")
    assert (config.selection.layers, config.prompts.chat) == (None, False)


@pytest.mark.parametrize("preset", INSTRUCT)
def test_instruct_models_are_asked_in_their_chat_template_without_thinking(preset: str) -> None:
    config = load_config(preset, {})
    assert (config.prompts.chat, config.prompts.thinking) == (True, False)
    assert config.evaluation.max_new_tokens > 512


def test_presets_and_named_benchmarks_mean_the_same() -> None:
    for preset in (*MATH, *INSTRUCT):
        for name, source in load_config(preset, {}).corpora.benchmarks.items():
            assert source == BENCHMARKS[name]
    assert isinstance(load_config(MONO, {"model.hub": "a/b"}).corpora.benchmarks["xcsqa"], SourceConfig)
    assert load_config(MONO, {"model.hub": "a/b"}).corpora.benchmarks["xcsqa"] == BENCHMARKS["xcsqa"]


def test_the_demos_files_are_there() -> None:
    config = load_config("demo", {})
    corpora = config.corpora
    for path in (config.model.path, corpora.questions, corpora.pairs, *corpora.benchmarks.values()):
        assert Path(str(path)).exists(), path

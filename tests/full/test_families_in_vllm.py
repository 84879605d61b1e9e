"""Every model family, tuned and exported, in a real vLLM engine: greedy, and of the same opinion as transformers."""

import json
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from slam_ray.evaluation.engine import Engine, EngineKind, environment
from slam_ray.models.assembly import checkpoint_folder
from slam_ray.models.families import FAMILIES
from slam_ray.models.reference import TRAINED_FILE, ModelRef, base_model
from tests.artifacts import artifact_of
from tests.models import tiny_model

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).parents[2]
DTYPE = "float32"
LAYERS = (0, 2)
NEW_TOKENS = 12
PROMPTS = [[0, *(3 + (7 * key + 13 * step**2) % 256 for step in range(5 + 9 * key))] for key in range(6)]
# Natural logarithm of a probability: what two kernels differ by in float32 is a hundred times less.
TOLERANCE = 1e-3


def tuned_model(folder: Path) -> ModelRef:
    """The base in `folder` with the tensors that `tune` has trained."""
    base = base_model(str(folder / "base"))
    return ModelRef(base.base, base.manifest, (artifact_of(folder),))


def tune(folder: Path, family: str) -> None:
    """Train the FFN of two layers for two steps, with a rate at which that is seen in the logits."""
    import torch
    from safetensors.torch import save_file

    from slam_ray.models.loading import load_model
    from slam_ray.models.trainable import tune_only
    from slam_ray.training.worker import as_stored

    model = load_model(folder / "base", DTYPE)
    tune_only(model, FAMILIES[family], LAYERS, ("up", "down"))
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-2, weight_decay=0.0)
    tokens = torch.tensor(PROMPTS[-1])[None]
    for _ in range(2):
        model(tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    trained = {name: weight.detach().clone() for name, weight in weights.items()}
    save_file(as_stored(folder / "base", FAMILIES[family], trained, DTYPE), folder / TRAINED_FILE)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with a tuned model of every family, and what vLLM made of each: answers, or why there are none."""
    folder = tmp_path_factory.mktemp("families")
    for family in FAMILIES:
        base = tiny_model(folder / family / "base", family)
        if family == "mistral":  # as published: the weights once more, and what is left of other days
            for stray in ("consolidated.safetensors", "model_old.safetensors"):
                shutil.copyfile(base / "model.safetensors", base / stray)
        tune(folder / family, family)
    command = [sys.executable, "-m", "tests.full.test_families_in_vllm", str(folder)]
    # vLLM compiles its ranking of log probabilities, asked for only here; torch cannot in a path with a space.
    settings = os.environ | environment(1) | {"TORCH_COMPILE_DISABLE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    found: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found |= json.loads(line)
    return folder, {family: found.get(family, done.stderr[-4000:]) for family in FAMILIES}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("family", FAMILIES)
def test_vllm_and_transformers_agree_on_a_tuned_model(family: str, answered: tuple[Path, dict[str, Any]]) -> None:
    from slam_ray.models.loading import load_model

    folder, answers = answered[0] / family, answered[1][family]
    assert isinstance(answers, list), answers
    tuned = load_model(checkpoint_folder(tuned_model(folder), folder / "cache"), DTYPE)
    base = load_model(folder / "base", DTYPE)
    moved = 0.0
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        assert len(answer["tokens"]) == NEW_TOKENS or answer["tokens"][-1] == 1
        expected, before = (log_probabilities(model, prompt, answer["tokens"]) for model in (tuned, base))
        chosen = expected[range(len(expected)), answer["tokens"]]
        assert chosen.tolist() == pytest.approx(answer["log_probabilities"], abs=TOLERANCE)
        assert (expected.max(dim=1).values - chosen).max() < TOLERANCE, "not the most likely tokens"
        moved = max(moved, (expected - before).abs().max().item())
    assert moved > 100 * TOLERANCE, "the base's own weights would have passed as well"


def log_probabilities(model: Any, prompt: list[int], tokens: list[int]) -> "torch.Tensor":
    """[tokens, vocabulary]: what a transformers model makes of each position of an answer."""
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1)


def answer_prompts(folder: Path) -> list[dict[str, Any]]:
    """What a vLLM engine answers; it changes its process, so this has one of its own."""
    from vllm import RequestOutput, SamplingParams
    from vllm.inputs.engine import tokens_input

    engine = Engine()
    engine.load(tuned_model(folder), EngineKind(DTYPE, 1024), gpu=False, cache=folder / "cache")
    assert "LD_PRELOAD" not in os.environ, "the loader would cut a path at its spaces and call that an error"
    running: Any = engine._engine
    for key, prompt in enumerate(PROMPTS):
        greedy = SamplingParams(temperature=0, max_tokens=NEW_TOKENS, logprobs=0, detokenize=False)
        running.add_request(str(key), tokens_input(prompt), greedy)
    answers: dict[int, dict[str, Any]] = {}
    while running.has_unfinished_requests():
        for output in running.step():
            assert isinstance(output, RequestOutput)
            if output.finished:
                answer = output.outputs[0]
                tokens = list(answer.token_ids)
                ranked: Any = answer.logprobs
                likely = [each[token].logprob for token, each in zip(tokens, ranked, strict=True)]
                answers[int(output.request_id)] = {"tokens": tokens, "log_probabilities": likely}
    return [answers[key] for key in range(len(PROMPTS))]


def answer_all(folder: Path) -> None:
    """Print a line for each family: one process for all, because vLLM takes long to import."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    for family in FAMILIES:
        answers: list[dict[str, Any]] | str
        try:
            answers = answer_prompts(folder / family)
        except Exception:  # what vLLM cannot run is that family's failure alone
            answers = traceback.format_exc()
        print(json.dumps({family: answers}), flush=True)
        cleanup_dist_env_and_memory()


if __name__ == "__main__":
    answer_all(Path(sys.argv[1]))

"""Every model family in a real vLLM engine that goes from model to model: greedy, and of transformers' opinion."""

import json
import os
import shutil
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from slam_ray.evaluation.engine import Engine, EngineKind, environment
from slam_ray.models.families import FAMILIES
from slam_ray.models.loading import load_model
from slam_ray.models.reference import TRAINED_FILE, ModelRef, base_model
from tests.artifacts import artifact_of
from tests.models import tiny_model

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).parents[2]
DTYPE = "float32"
# What is tuned: parts of fused weights alone, of other layers too.
TUNED = {"ffn": ((0, 2), ("up", "down")), "attention": ((1, 2), ("k", "o")), "whole": ((3,), ("layer",))}
# An engine has them in this order: what one tuned and the next does not goes back to the base.
IN_TURN = ("base", "ffn", "attention", "base", "whole")
UNTIED = ("qwen2", "phi3")  # as those of them that are large
NEW_TOKENS = 12
PROMPTS = [[0, *(3 + (7 * key + 13 * step**2) % 256 for step in range(5 + 9 * key))] for key in range(6)]
# Natural logarithm of a probability: what two kernels differ by in float32 is a hundred times less.
TOLERANCE = 1e-3


def model_of(folder: Path, name: str) -> ModelRef:
    """The base in `folder`, or what `tune` has made of it."""
    base = base_model(str(folder / "base"))
    return base if name == "base" else replace(base, trained=(artifact_of(folder / name, fingerprint=f"{name:0>20}"),))


def tune(folder: Path, name: str) -> None:
    """Train for two steps, with a rate at which that is seen in the logits."""
    import torch
    from safetensors.torch import save_file

    from slam_ray.models.trainable import tune_only
    from slam_ray.training.worker import as_stored

    base, (layers, projections) = model_of(folder, "base"), TUNED[name]
    model = load_model(base, DTYPE)
    tune_only(model, base.family, layers, projections)
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-2, weight_decay=0.0)
    tokens = torch.tensor(PROMPTS[-1])[None]
    for _ in range(2):
        model(tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    trained = {name: weight.detach().clone() for name, weight in weights.items()}
    (folder / name).mkdir()
    save_file(as_stored(base, trained, DTYPE), folder / name / TRAINED_FILE)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with tuned models of every family, and what vLLM answered as each in turn, or why it did not."""
    folder = tmp_path_factory.mktemp("families")
    for family in FAMILIES:
        base = tiny_model(folder / family / "base", family, tied=family not in UNTIED)
        if family == "mistral":  # as published: the weights once more, and what is left of other days
            for stray in ("consolidated.safetensors", "model_old.safetensors"):
                shutil.copyfile(base / "model.safetensors", base / stray)
        for name in TUNED:
            tune(folder / family, name)
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
def test_vllm_and_transformers_agree_on_one_model_after_another(
    family: str, answered: tuple[Path, dict[str, Any]]
) -> None:
    folder, turns = answered[0] / family, answered[1][family]
    assert isinstance(turns, list), turns
    base = load_model(model_of(folder, "base"), DTYPE)
    for name, answers in zip(IN_TURN, turns, strict=True):
        model = load_model(model_of(folder, name), DTYPE)
        moved = 0.0
        for prompt, answer in zip(PROMPTS, answers, strict=True):
            assert len(answer["tokens"]) == NEW_TOKENS or answer["tokens"][-1] == 1
            expected, before = (log_probabilities(each, prompt, answer["tokens"]) for each in (model, base))
            chosen = expected[range(len(expected)), answer["tokens"]]
            assert chosen.tolist() == pytest.approx(answer["log_probabilities"], abs=TOLERANCE)
            assert (expected.max(dim=1).values - chosen).max() < TOLERANCE, "not the most likely tokens"
            moved = max(moved, (expected - before).abs().max().item())
        assert name == "base" or moved > 100 * TOLERANCE, "the base's own weights would have passed as well"


def log_probabilities(model: Any, prompt: list[int], tokens: list[int]) -> "torch.Tensor":
    """[tokens, vocabulary]: what a transformers model makes of each position of an answer."""
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1)


def answer_prompts(engine: Engine) -> list[dict[str, Any]]:
    """What an engine answers with the weights that it has."""
    from vllm import RequestOutput, SamplingParams
    from vllm.inputs.engine import tokens_input

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


def answer_in_turn(folder: Path) -> list[list[dict[str, Any]]]:
    """What one engine answers as model after model of a family; it changes its process, so this has one of its own."""
    engine, answers = Engine(), []
    for name in IN_TURN:
        engine.load(model_of(folder, name), EngineKind(DTYPE, 1024), gpu=False)
        assert "LD_PRELOAD" not in os.environ, "the loader would cut a path at its spaces and call that an error"
        answers.append(answer_prompts(engine))
    return answers


def answer_all(folder: Path) -> None:
    """Print a line for each family: one process for all, because vLLM takes long to import."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    for family in FAMILIES:
        answers: list[list[dict[str, Any]]] | str
        try:
            answers = answer_in_turn(folder / family)
        except Exception:  # what vLLM cannot run is that family's failure alone
            answers = traceback.format_exc()
        print(json.dumps({family: answers}), flush=True)
        cleanup_dist_env_and_memory()


if __name__ == "__main__":
    answer_all(Path(sys.argv[1]))

"""SLAM on a real pretrained model through the job and all engines, and what has to be true of everything it makes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import yaml
from safetensors import safe_open

from slam_ray.activations import read_counts
from slam_ray.activations.counter import Counter
from slam_ray.activations.counting import plan
from slam_ray.activations.plan import chosen_ids
from slam_ray.config import ActivationsConfig, PromptsConfig
from slam_ray.corpora import Question
from slam_ray.models.loading import load_model, load_tokenizer
from slam_ray.models.reference import TRAINED_FILE, ModelRef, base_model
from tests.artifacts import artifact_of

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
LANGUAGES = ("en", "de", "sw")
GROUPS, NEW_TOKENS = 4, 32
# Of the root mean square of a layer's W_gate x. So near to 0 the sign is left open: in float32 (2^-24) padding and the
# order of sums moved it by less than a tenth of this on these models.
NEAR_ZERO = 1e-4
# Of all tokens and neurons: bfloat16 (2^-8) moves W_gate x by less than 1 % of its root mean square on average, and at
# most 0.4 % of them over 0.
ROUNDED_SHARE = 0.01
# Nats by which in float32 a token may be likelier than the one that bfloat16 chose, and of how many tokens: an odd word
# may have been written in other tokens than those that its text is read as.
LEAD, CHOSEN_SHARE = 0.5, 0.9


@dataclass(frozen=True)
class Finished:
    """A run that is through: its base model, the folder that keeps its artifacts, and its summary."""

    model: Path
    storage: Path
    summary: dict[str, Any]

    def artifact(self, name: str) -> Path:
        """Folder of the only artifact of a step, or of one with this label."""
        links = json.loads((self.storage / "runs" / "real" / "artifacts.json").read_text())
        record = self.storage / "artifacts" / links[name] / "record.json"
        return record.parent / "attempts" / str(json.loads(record.read_text())["attempt"])


def counted_questions() -> list[Question]:
    lines = (HERE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [Question(**json.loads(line)) for line in lines]


def run(model: Path, folder: Path) -> Finished:
    """Count, select, take 4 steps of 4 pairs, and answer 8 problems before and after, as a user would start it."""
    questions = {(each.id, each.language): each.question for each in counted_questions()}
    pairs = [
        {"id": id_, "language": language, "kind": "question", "source": text, "english": questions[id_, "en"]}
        for (id_, language), text in questions.items()
        if language != "en"
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    config = {
        "storage": str(folder),
        "model": {"path": str(model)},
        "corpora": {
            "questions": str(HERE / "questions.jsonl"),
            "pairs": str(folder / "pairs.jsonl"),
            "benchmarks": {"own": str(HERE / "problems.jsonl")},
        },
        "activations": {"groups": GROUPS},
        "training": {"learning_rate": 1e-4, "epochs": 1, "batch_size": 4},
        "evaluation": {"max_new_tokens": NEW_TOKENS},
        "execution": {"counting_actors": 2, "training_workers": 2, "engines": 1},
    }
    (folder / "real.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "jobs/run_slam.py", str(folder / "real.yaml")]
    # A Ray of its own, as from a plain shell.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    print(done.stdout)
    return Finished(model, folder, json.loads((folder / "runs" / "real" / "summary.json").read_text()))


def assert_counts_are_a_plain_models(finished: Finished) -> None:
    """Each question alone, without padding, in float32: but where a gate is all but 0, the same neurons."""
    base = base_model(str(finished.model))
    counted = read_counts(finished.artifact("count") / "counts.npz")
    assert counted.languages == LANGUAGES
    gates, surprise = reference(finished.model)
    assert surprise < 3.5, "nats a token of English: these are not the weights that were trained"
    units = plan(ActivationsConfig(groups=GROUPS), PromptsConfig(), counted_questions(), base, LANGUAGES)
    exact: npt.NDArray[np.int64] = np.zeros(counted.activated.shape, np.int64)
    counter = Counter(load_model(base, "float32"), base.family)
    for unit in units:
        exact[unit.group, LANGUAGES.index(unit.language)] += counter.count(unit.passes)
    for (group, language), found in gates.items():
        near = NEAR_ZERO * found.square().mean(dim=(1, 2), keepdim=True).sqrt()
        cell = group, LANGUAGES.index(language)
        assert counted.tokens[cell] == found.shape[1]
        assert (exact[cell] >= (found > near).sum(dim=1).numpy()).all()
        assert (exact[cell] <= (found > -near).sum(dim=1).numpy()).all()
    moved = np.abs(counted.activated - exact).sum(axis=(0, 1, 3))
    assert (moved > 0).all(), "the run counts in bfloat16"
    assert (moved < ROUNDED_SHARE * counted.tokens.sum() * counted.activated.shape[3]).all()


def reference(folder: Path) -> tuple[dict[tuple[int, str], torch.Tensor], float]:
    """W_gate x [layers, tokens, neurons] at the questions' tokens by group and language, by transformers alone.

    And the mean negative log-likelihood of the English questions' tokens, in nats.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    seen: dict[int, torch.Tensor] = {}
    for number, layer in enumerate(model.model.layers):
        layer.mlp.gate_proj.register_forward_hook(lambda _, __, output, number=number: seen.update({number: output[0]}))
    prompt = PromptsConfig().reasoning
    start = prompt.index("{query}")
    ids = chosen_ids((question.id for question in counted_questions()), 500)
    gates: dict[tuple[int, str], list[torch.Tensor]] = {}
    english: list[torch.Tensor] = []
    for question in counted_questions():
        encoded = tokenizer(prompt.replace("{query}", question.question), return_offsets_mapping=True)
        end = start + len(question.question)
        places = [
            place for place, (first, last) in enumerate(encoded["offset_mapping"]) if first < end and last > start
        ]
        tokens = torch.tensor(encoded["input_ids"])
        with torch.no_grad():
            states = model.model(tokens[None]).last_hidden_state[0]
            if question.language == "en":
                before = torch.tensor(places) - 1
                english.append(
                    torch.nn.functional.cross_entropy(model.lm_head(states[before]), tokens[places], reduction="none")
                )
        cell = ids.index(question.id) % GROUPS, question.language
        gates.setdefault(cell, []).append(torch.stack([seen[layer][places] for layer in sorted(seen)]))
    return {cell: torch.cat(found, dim=1) for cell, found in gates.items()}, torch.cat(english).mean().item()


def assert_layers_are_the_rules(finished: Finished) -> None:
    """By METHOD's sentences in numpy, from the run's own counts."""
    counted = read_counts(finished.artifact("count") / "counts.npz")
    share = counted.activated.sum(axis=0) / counted.tokens.sum(axis=0)[:, None, None]
    english, *others = share > 0.5
    overlap = np.mean([(other & english).sum(axis=1) / (other | english).sum(axis=1) for other in others], axis=0)
    peak = 2 + int(overlap[2:].argmax())
    deviation: npt.NDArray[np.float64] = share.mean(axis=2).var(axis=0)
    layers = np.flatnonzero(deviation[:peak] > deviation[:peak].mean()).tolist()
    assert finished.summary["chosen_by"] == "rule"
    assert finished.summary["selected_layers"] == layers
    assert 0 < len(layers) < peak


def assert_only_tuned_tensors_are_written(finished: Finished) -> None:
    """The training's tensors are the selected layers', each moved; the run has written no other weights."""
    family, layers = base_model(str(finished.model)).family, finished.summary["selected_layers"]
    trained = {family.parameter(layer, projection) for layer in layers for projection in ("up", "down")}
    delta = finished.artifact("train") / TRAINED_FILE
    with safe_open(finished.model / "model.safetensors", "pt") as base, safe_open(delta, "pt") as tuned:
        assert set(tuned.keys()) == trained
        assert not any(tuned.get_tensor(name).equal(base.get_tensor(name)) for name in trained)
    assert list(finished.storage.rglob("*.safetensors")) == [delta]
    losses = [json.loads(line)["loss"] for line in (finished.artifact("train") / "loss.jsonl").read_text().splitlines()]
    assert len(losses) == 4
    assert all(0 < loss < 6 for loss in losses)


def assert_answers_are_the_models_own(finished: Finished, label: str, reference: ModelRef) -> list[str]:
    """Each token of an answer is the likeliest in float32 too, or nearly as likely; returns the answers."""
    import pyarrow.parquet as pq

    rows = pq.read_table(finished.artifact(label) / "responses.parquet").to_pylist()
    assert [row["language"] for row in rows] == ["en"] * 4 + ["sw"] * 4
    model, tokenizer = load_model(reference, "float32"), load_tokenizer(reference.base)
    leads: list[torch.Tensor] = []
    for row in rows:
        assert 0 < row["tokens"] <= NEW_TOKENS
        prompt, whole = (tokenizer(text)["input_ids"] for text in (row["prompt"], row["prompt"] + row["response"]))
        with torch.no_grad():
            scored = (
                model(torch.tensor([whole]), logits_to_keep=len(whole) - len(prompt) + 1).logits[0, :-1].log_softmax(-1)
            )
        answer = torch.tensor(whole[len(prompt) :])
        leads.append(scored.max(dim=1).values - scored.gather(1, answer[:, None])[:, 0])
    chosen = (torch.cat(leads) < LEAD).float().mean().item()
    print(f"{label}: {chosen:.1%} of the tokens are those of float32, or nearly as likely")
    assert chosen > CHOSEN_SHARE
    return [row["response"] for row in rows]


def everything_is_right(model: Path, folder: Path) -> None:
    """Run SLAM on the model, and hold each of its artifacts against what is worked out here."""
    finished = run(model, folder)
    assert_counts_are_a_plain_models(finished)
    assert_layers_are_the_rules(finished)
    assert_only_tuned_tensors_are_written(finished)
    base = base_model(str(model))
    tuned = replace(base, trained=(artifact_of(finished.artifact("train")),))
    before = assert_answers_are_the_models_own(finished, "generate base own", base)
    assert before != assert_answers_are_the_models_own(finished, "generate tuned own", tuned)

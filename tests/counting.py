"""What the counting tests share: a small parallel corpus, and a plain reference that counts one question at a time."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slam_ray.config import PromptsConfig
from slam_ray.corpora import Question
from slam_ray.models.families import Family

LANGUAGES = ("en", "bn", "sw", "th")
WORDS = {
    "en": ["Ann", "buys", "seven", "red", "apples", "and", "gives", "two", "away.", "How", "many", "are", "left?"],
    "bn": ["আনা", "সাতটি", "লাল", "আপেল", "কেনে", "এবং", "দুটি", "দিয়ে", "দেয়।", "কয়টি", "থাকে?"],
    "sw": ["Ana", "ananunua", "matufaha", "saba", "mekundu", "na", "kutoa", "mawili.", "Yanabaki", "mangapi?"],
    "th": ["แอนซื้อ", "แอปเปิลแดง", "เจ็ดลูก", "แล้วให้ไป", "สองลูก", "เหลือ", "กี่ลูก"],
}


def questions(number: int, languages: tuple[str, ...] = LANGUAGES) -> list[Question]:
    """Parallel questions of different lengths, language by language."""
    rng = np.random.default_rng(7)
    lengths = rng.integers(2, 9, size=number)
    return [
        Question(f"q{index}", language, " ".join(rng.choice(WORDS[language], size=length)))
        for language in languages
        for index, length in enumerate(lengths)
    ]


def write_questions(file: Path, corpus: list[Question]) -> str:
    """Write a questions file; returns its path for a configuration."""
    file.write_text("".join(json.dumps(vars(question)) + "\n" for question in corpus))
    return str(file)


def reference_counts(
    model: Any,
    family: Family,
    corpus: list[Question],
    prompts: PromptsConfig,
    groups: int,
    text: str = "question-in-prompt",
    positions: str = "mean",
    answers: Mapping[tuple[str, str], str] | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Activated [groups, languages, layers, neurons] and tokens [groups, languages] of a model with one token a byte.

    Each question runs alone, without padding; W_gate x > 0 is computed here from the input of the projection.
    """
    import torch

    ids = sorted({question.id for question in corpus}, key=lambda id_: hashlib.sha256(id_.encode()).hexdigest())
    before, after = ("", "") if text == "question" else prompts.reasoning.split("{query}")
    gate = family.projections.get("gate") or family.projections["up"]
    projections = [layer.get_submodule(gate.module) for layer in model.get_submodule(family.layers)]
    weights = [gate_weight(projection, bool(gate.fused)) for projection in projections]
    activated = np.zeros((groups, len(LANGUAGES), len(weights), len(weights[0])), dtype=np.int64)
    tokens = np.zeros((groups, len(LANGUAGES)), dtype=np.int64)
    inputs: dict[int, Any] = {}
    hooks = [
        projection.register_forward_pre_hook(lambda _, args, layer=index: inputs.update({layer: args[0][0]}))
        for index, projection in enumerate(projections)
    ]
    for question in corpus:
        answer = (answers or {}).get((question.language, question.id), "")
        parts = [part.encode() for part in (before, question.question, after + answer)]
        whole = b"".join(parts)
        # After BOS.
        start, end = 1 + len(parts[0]), 1 + len(parts[0]) + len(parts[1])
        if text in ("prompt", "answer"):
            start, end = 1, 1 + len(whole)
        if positions == "last":
            start = end - 1
        cell = ids.index(question.id) % groups, LANGUAGES.index(question.language)
        with torch.no_grad():
            model(torch.tensor([[0, *byte_tokens(whole)]]))
            for layer, weight in enumerate(weights):
                bias = 0 if projections[layer].bias is None else projections[layer].bias
                activated[cell][layer] += (inputs[layer][start:end] @ weight.T + bias > 0).sum(dim=0).numpy()
        tokens[cell] += end - start
    for hook in hooks:
        hook.remove()
    return activated, tokens


def gate_weight(projection: Any, first_half: bool) -> Any:
    """[neurons, inputs]: the rows of a linear module or the first half of them, or of GPT-2's transposed one."""
    weight = projection.weight.T if type(projection).__name__ == "Conv1D" else projection.weight
    return weight.chunk(2)[0] if first_half else weight


def byte_tokens(text: bytes) -> list[int]:
    """Tokens of the test tokenizer: three special ones, then the byte alphabet in the order of its characters."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    characters = {byte: chr(byte) for byte in printable}
    characters |= {byte: chr(0x100 + index) for index, byte in enumerate(sorted(set(range(256)) - set(printable)))}
    order = sorted(characters.values())
    return [3 + order.index(characters[byte]) for byte in text]

"""The batch plan: which questions share a forward pass, a pure function of the corpus and the token budget.

Given the plan, the counts depend neither on the number of actors nor on the order of their work.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slam_ray.config import CountedConfig, InputError, PromptsConfig
from slam_ray.corpora.prompts import SLOT, ask
from slam_ray.corpora.records import Question
from slam_ray.pipeline.step import HasFingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PASSES_PER_UNIT = 16
ByQuestion = Mapping[tuple[str, str], str]  # (language, id) -> text


@dataclass(frozen=True)
class Answers:
    """The base model's answers, to be counted behind the questions: the artifact that holds them, and its reader."""

    artifact: HasFingerprint
    read: Callable[[], ByQuestion]


@dataclass(frozen=True)
class Encoded:
    """A question inside its prompt or alone, or with an answer behind, as tokens.

    Attributes:
        id: the question's id.
        language: its language.
        tokens: token ids of the whole text.
        start: index of the first token that is counted.
        end: one past the index of the last one.
    """

    id: str
    language: str
    tokens: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Unit:
    """What an actor counts at a time: forward passes over questions of one language and one group."""

    group: int
    language: str
    passes: tuple[tuple[Encoded, ...], ...]

    @property
    def questions(self) -> int:
        """Questions in all passes."""
        return sum(len(batch) for batch in self.passes)

    @property
    def tokens(self) -> int:
        """Tokens counted in all passes."""
        return sum(question.end - question.start for batch in self.passes for question in batch)


def chosen_ids(ids: Iterable[str], questions: int) -> list[str]:
    """A fixed random sample: the first so many ids by SHA-256, whatever their order in the corpus."""
    return sorted(set(ids), key=lambda id_: hashlib.sha256(id_.encode()).digest())[:questions]


def counted_prompts(activations: CountedConfig, prompts: PromptsConfig) -> PromptsConfig:
    """The prompts that a counted question stands in: none, if it is counted alone."""
    if activations.text != "question":
        return prompts
    return prompts.model_copy(update={"reasoning": SLOT, "chat": False, "thinking": False})


def encode(
    questions: Sequence[Question],
    activations: CountedConfig,
    prompts: PromptsConfig,
    tokenizer: "PreTrainedTokenizerBase",
    answers: ByQuestion | None = None,
) -> list[Encoded]:
    """Tokens of each question in its reasoning prompt (Table 8) or alone, and which of them are counted.

    Args:
        answers: to every question, where they are counted.

    Raises:
        InputError: a question is empty.
    """
    prompts = counted_prompts(activations, prompts)
    encoded = []
    for question, asked in zip(questions, ask(prompts, [each.question for each in questions], tokenizer), strict=True):
        if asked.start == asked.end:
            raise InputError(f"question {question.id} in {question.language} has no tokens of its own")
        start, end, tokens = asked.start, asked.end, asked.tokens
        if activations.text == "answer":
            assert answers is not None
            # On its own, because it was generated behind the prompt's last token.
            answer = answers[question.language, question.id]
            tokens += tuple(tokenizer(answer, add_special_tokens=False)["input_ids"])
        if activations.text in ("prompt", "answer"):
            # The beginning of sequence is no text, and the same in every language.
            start, end = asked.begins, len(tokens)
        if activations.tokens == "last":
            start = end - 1
        encoded.append(Encoded(question.id, question.language, tokens, start, end))
    return encoded


def plan_units(encoded: Sequence[Encoded], ids: Sequence[str], groups: int, token_budget: int) -> list[Unit]:
    """Deal the questions over groups by id, and those of a group and language over forward passes.

    Args:
        encoded: the questions in every language.
        ids: their ids; a question is in the group (its id's place here) modulo `groups`.
        groups: number of groups.
        token_budget: tokens of one forward pass at most, padding included.

    Raises:
        InputError: one question alone is longer than the budget.
    """
    group_of = {id_: place % groups for place, id_ in enumerate(ids)}
    together: dict[tuple[int, str], list[Encoded]] = {}
    for question in encoded:
        if len(question.tokens) > token_budget:
            raise InputError(
                f"activations.token_budget is {token_budget}, but question {question.id} in {question.language} takes"
                f" {len(question.tokens)} tokens with its prompt: set it to at least as many"
            )
        together.setdefault((group_of[question.id], question.language), []).append(question)
    units = []
    for (group, language), questions in sorted(together.items()):
        passes = _passes(questions, token_budget)
        for start in range(0, len(passes), PASSES_PER_UNIT):
            units.append(Unit(group, language, tuple(passes[start : start + PASSES_PER_UNIT])))
    return units


def plan_hash(units: Sequence[Unit], device: str) -> str:
    """Identity of a plan on one kind of device: finished work of another is never mixed into its counts."""
    return hashlib.sha256(repr((device, units)).encode()).hexdigest()[:20]


def _passes(questions: Sequence[Encoded], token_budget: int) -> list[tuple[Encoded, ...]]:
    # Longest first: a pass is as wide as its first question, and questions of like length need little padding.
    passes: list[list[Encoded]] = []
    for question in sorted(questions, key=lambda question: (-len(question.tokens), question.id)):
        if passes and len(passes[-1][0].tokens) * (len(passes[-1]) + 1) <= token_budget:
            passes[-1].append(question)
        else:
            passes.append([question])
    return [tuple(batch) for batch in passes]

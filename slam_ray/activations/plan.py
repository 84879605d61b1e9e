"""The batch plan: what questions share a forward pass, as a pure function of the corpus and the token budget.

Given the plan, the counts depend neither on the number of actors nor on the order of their work.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slam_ray.config import CountedConfig, InputError, PromptsConfig
from slam_ray.corpora.prompts import SLOT, ask
from slam_ray.corpora.records import Question
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Input

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PASSES_PER_UNIT = 16
ByQuestion = Mapping[tuple[str, str], str]  # (language, id) -> text


@dataclass(frozen=True)
class Answers:
    """The base model's answers, which are counted behind the questions.

    Attributes:
        responses: what holds them.
        read: reads them from its artifact.
    """

    responses: Input[Any]
    read: Callable[[Artifact[Any]], ByQuestion]


@dataclass(frozen=True)
class Encoded:
    """A question as tokens: alone or inside its prompt, perhaps with an answer behind.

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
    def lengths(self) -> list[int]:
        """Tokens of each question, prompt included, in all passes."""
        return [len(question.tokens) for batch in self.passes for question in batch]

    @property
    def tokens(self) -> int:
        """Tokens counted in all passes."""
        return sum(question.end - question.start for batch in self.passes for question in batch)


def chosen_ids(ids: Iterable[str], questions: int) -> list[str]:
    """A fixed random sample of so many ids: the first ones by SHA-256, whatever their order in the corpus."""
    return sorted(set(ids), key=lambda id_: hashlib.sha256(id_.encode()).digest())[:questions]


def counted_prompts(activations: CountedConfig, prompts: PromptsConfig) -> PromptsConfig:
    """The prompts for counting; a question that is counted alone gets none."""
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
    """The tokens of each question, in its reasoning prompt (Table 8) or alone, and the range that is counted.

    Args:
        questions: in any order and languages.
        activations: what is counted of a question.
        prompts: that the questions are put into.
        tokenizer: the model's.
        answers: to every question, if they are counted.

    Raises:
        InputError: a question is empty.
    """
    prompts = counted_prompts(activations, prompts)
    encoded = []
    texts = [question.question for question in questions]
    for question, prompt in zip(questions, ask(prompts, texts, tokenizer), strict=True):
        if prompt.start == prompt.end:
            raise InputError(f"question {question.id} in {question.language} has no tokens of its own")
        start, end, tokens = prompt.start, prompt.end, prompt.tokens
        if activations.text == "answer":
            assert answers is not None
            # Tokenized on its own, because it was generated behind the prompt's last token.
            answer = answers[question.language, question.id]
            tokens += tuple(tokenizer(answer, add_special_tokens=False)["input_ids"])
        if activations.text in ("prompt", "answer"):
            # The beginning of sequence is left out: it is no text, and the same in every language.
            start, end = prompt.begins, len(tokens)
        if activations.tokens == "last":
            start = end - 1
        encoded.append(Encoded(question.id, question.language, tokens, start, end))
    return encoded


def plan_units(encoded: Sequence[Encoded], ids: Sequence[str], groups: int, token_budget: int) -> list[Unit]:
    """Deal the questions over groups by id, and those of a group and language over forward passes.

    Args:
        encoded: the questions in every language.
        ids: their ids; a question is in the group (its id's position here) modulo `groups`.
        groups: number of groups.
        token_budget: the most tokens of one forward pass.

    Raises:
        InputError: one question alone is longer than the budget.
    """
    group_of = {id_: position % groups for position, id_ in enumerate(ids)}
    questions_of: dict[tuple[int, str], list[Encoded]] = {}
    for question in encoded:
        if len(question.tokens) > token_budget:
            raise InputError(
                f"activations.token_budget is {token_budget}, but question {question.id} in {question.language} takes"
                f" {len(question.tokens)} tokens with its prompt: set it to at least as many"
            )
        questions_of.setdefault((group_of[question.id], question.language), []).append(question)
    units = []
    for (group, language), questions in sorted(questions_of.items()):
        passes = _passes(questions, token_budget)
        for start in range(0, len(passes), PASSES_PER_UNIT):
            units.append(Unit(group, language, tuple(passes[start : start + PASSES_PER_UNIT])))
    return units


def plan_hash(units: Sequence[Unit], device: str) -> str:
    """Identity of a plan on one kind of device, so that finished units of another are never mixed into its counts."""
    return hashlib.sha256(repr((device, units)).encode()).hexdigest()[:20]


def _passes(questions: Sequence[Encoded], token_budget: int) -> list[tuple[Encoded, ...]]:
    # Longest first, so that a pass holds questions of like length and no order of the corpus decides it.
    passes: list[list[Encoded]] = []
    room = 0
    for question in sorted(questions, key=lambda question: (-len(question.tokens), question.id)):
        if len(question.tokens) > room:
            passes.append([])
            room = token_budget
        passes[-1].append(question)
        room -= len(question.tokens)
    return [tuple(batch) for batch in passes]

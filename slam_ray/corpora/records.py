"""What the texts are: one parallel question, one translation pair, one benchmark problem."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["question", "answer"]
Answer = float | str


@dataclass(frozen=True)
class Question:
    """A question to count activations on; the same `id` in every language is the same problem."""

    id: str
    language: str
    question: str


@dataclass(frozen=True)
class Pair:
    """A translation X -> English of a problem's question or of its answer; `id` is the English problem."""

    id: str
    language: str
    kind: Kind
    source: str
    english: str


@dataclass(frozen=True)
class Problem:
    """A benchmark problem with its gold answer: a number, or the label of the right choice."""

    id: str
    language: str
    question: str
    answer: Answer

"""The answer in a response, by two extractors for each kind of answer; the first of each is the paper's.

A number: the field's extractor, for published figures, and a strict one. The label of a choice: the last, or the
first. None where a response holds no answer; it is wrong whatever the gold answer is.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from slam_ray.corpora.records import Answer
from slam_ray.evaluation.labels import label
from slam_ray.evaluation.strict import strict

NumberExtractor = Literal["last-number", "strict"]
Extractor = NumberExtractor | Literal["last-label", "first-label"]
NUMBER_EXTRACTORS: tuple[NumberExtractor, ...] = get_args(NumberExtractor)
TOLERANCE = 1e-3
ANY_LABEL: Mapping[str, str] = MappingProxyType({})


def extractors_for(answer: Answer, label: Literal["last", "first"]) -> tuple[Extractor, Extractor]:
    """The extractors for the kind of `answer`, the headline first; for labels that is the last or the first one."""
    if isinstance(answer, str):
        return ("last-label", "first-label") if label == "last" else ("first-label", "last-label")
    return "last-number", "strict"


def extract(text: str, language: str, extractor: Extractor, choices: Mapping[str, str] = ANY_LABEL) -> Answer | None:
    """The answer in a response to a question in `language`, by the named extractor.

    `choices` are the question's, label -> text, of which the answer is one; where none are given any capital may be.
    """
    if extractor == "last-number":
        return last_number(text)
    if extractor == "strict":
        return strict(text, language)
    return label(text, language, "last" if extractor == "last-label" else "first", choices)


def is_correct(found: Answer | None, gold: Answer) -> bool:
    """Whether what was extracted is the gold answer."""
    if isinstance(found, str) or isinstance(gold, str):
        return found == gold
    return found is not None and abs(found - gold) < TOLERANCE


def last_number(text: str) -> float | None:
    """The field's extractor, kept with its faults: digit,digit commas joined, then the last unsigned number."""
    joined = re.sub(r"(\d),(\d)", r"\1\2", text)
    found = re.findall(r"\d+(?:\.\d+)?", joined)
    return float(found[-1]) if found else None

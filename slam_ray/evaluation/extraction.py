"""The answer in a response, by two extractors for each kind of answer; the first of each is the paper's.

A number is read by the field's extractor, which scores in papers rest on, and by a strict one. The label of a choice is
the last one, or the first. A response without an answer is None, which is wrong whatever the gold answer is.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from slam_ray.corpora.records import Answer
from slam_ray.evaluation.labels import label
from slam_ray.evaluation.strict_number import strict_number

NumberExtractor = Literal["last-number", "strict"]
Extractor = NumberExtractor | Literal["last-label", "first-label"]
NUMBER_EXTRACTORS: tuple[NumberExtractor, ...] = get_args(NumberExtractor)
TOLERANCE = 1e-3
ANY_LABEL: Mapping[str, str] = MappingProxyType({})


def extractors_for(answer: Answer, label: Literal["last", "first"]) -> tuple[Extractor, Extractor]:
    """The extractors for this kind of answer, the headline first: for labels the one that `label` names."""
    if isinstance(answer, str):
        return ("last-label", "first-label") if label == "last" else ("first-label", "last-label")
    return "last-number", "strict"


def extract(text: str, language: str, extractor: Extractor, choices: Mapping[str, str] = ANY_LABEL) -> Answer | None:
    """The answer in a response to a question in `language`, by the named extractor.

    `choices` are the question's, label -> text. The answer is one of them, or without choices any capital letter.
    """
    if extractor == "last-number":
        return last_number(text)
    if extractor == "strict":
        return strict_number(text, language)
    return label(text, language, "last" if extractor == "last-label" else "first", choices)


def is_correct(found: Answer | None, gold: Answer) -> bool:
    """Whether an extracted answer is the gold one."""
    if isinstance(found, str) or isinstance(gold, str):
        return found == gold
    return found is not None and abs(found - gold) < TOLERANCE


def last_number(text: str) -> float | None:
    """The field's extractor with its faults: commas between digits are dropped, and the last unsigned number counts."""
    joined = re.sub(r"(\d),(\d)", r"\1\2", text)
    found = re.findall(r"\d+(?:\.\d+)?", joined)
    return float(found[-1]) if found else None

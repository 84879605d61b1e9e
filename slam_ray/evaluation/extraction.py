"""The answer in a response, by two extractors for each kind of answer; the first of each is the paper's.

A number: the field's extractor, for published figures, and a strict one. The label of a choice: the last within
brackets, or the first. None where a response holds no answer; it is wrong whatever the gold answer is.
"""

import re
from typing import Literal, get_args

from slam_ray.corpora.records import Answer
from slam_ray.evaluation.numbers import CURRENCY, Number, decimal_mark, find_numbers, normalise
from slam_ray.evaluation.phrases import announcements

NumberExtractor = Literal["last-number", "strict"]
Extractor = NumberExtractor | Literal["last-label", "first-label"]
NUMBER_EXTRACTORS: tuple[NumberExtractor, ...] = get_args(NumberExtractor)
TOLERANCE = 1e-3

_LABEL = re.compile(r"[(\[]\s*([A-Z])\s*[)\]]")
_SENTENCE_END = re.compile(r"\n|[.!?](?=\s+[^\d\s]|\s*$)|[。।۔]")
_CHAIN = re.compile(r"(?:[^,;(]|,(?=\d))*=")
_CURRENCY_NAMES = r"[A-Z]{3}|US|Rs\.?|Tk\.?|[KT]?[Ss]h\.?|shilingi"
_GAP = re.compile(rf"(?:\s|{CURRENCY}|{_CURRENCY_NAMES}|[\"'«“(\[{{~≈=,、:*_`]|\\\(|\\text\{{)*")


def extractors_for(answer: Answer, label: Literal["last", "first"]) -> tuple[Extractor, Extractor]:
    """The extractors for the kind of `answer`, the headline first; for labels that is the last or the first one."""
    if isinstance(answer, str):
        return ("last-label", "first-label") if label == "last" else ("first-label", "last-label")
    return "last-number", "strict"


def extract(text: str, language: str, extractor: Extractor) -> Answer | None:
    """The answer in a response to a question in `language`, by the named extractor."""
    if extractor == "last-number":
        return last_number(text)
    if extractor == "strict":
        return strict(text, language)
    labels = _LABEL.findall(normalise(text.rpartition("</think>")[2]))
    if not labels:
        return None
    return str(labels[-1] if extractor == "last-label" else labels[0])


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


def strict(text: str, language: str) -> float | None:
    r"""The number after an announcement of the answer, read as its language writes numbers; else the last number.

    A `\boxed{}` counts most. Otherwise the first line that announces an answer counts, so what a model runs on with
    does not, and in that line the last announcement, so a correction does. Announcements are known in `language` and
    in English. Thoughts before a `</think>` are left out.
    """
    text = normalise(text.rpartition("</think>")[2])
    boxed = re.findall(r"\\boxed\{([^\n]*)", text)
    if boxed and (number := _first(boxed[-1], text, language)) is not None:
        return number
    start = 0
    for line in text.splitlines(keepends=True):
        for announced in reversed(announcements(line, language)):
            rest = text[start + announced.end :]
            number = _announced(rest, announced.joined, text, announced.language)
            if number is not None:
                return number
        marker = re.match(r"\s*####", line)
        if marker and (number := _first(line, text, language)) is not None:
            return number
        start += len(line)
    numbers = find_numbers(text, decimal_mark(text, language))
    return numbers[-1].value if numbers else None


def _first(part: str, text: str, language: str) -> float | None:
    numbers = find_numbers(part, decimal_mark(text, language))
    return numbers[0].value if numbers else None


def _announced(rest: str, joined: bool, text: str, language: str) -> float | None:
    """The answer in what follows its announcement; None if there is none."""
    rest = rest.lstrip()
    end = _SENTENCE_END.search(rest)
    sentence = rest[: end.start()] if end else rest
    numbers = find_numbers(sentence, decimal_mark(text, language))
    if not numbers:
        return None
    if _GAP.fullmatch(sentence[: numbers[0].start]):
        return _end_of_chain(sentence, numbers)
    return numbers[-1].value if joined else None


def _end_of_chain(sentence: str, numbers: list[Number]) -> float:
    """The first number, or what a calculation that starts with it comes to: 5 + 6 = 11."""
    chain = _CHAIN.match(sentence, numbers[0].start)
    if chain is not None:
        for number in numbers:
            if number.start >= chain.end():
                return number.value
    return numbers[0].value

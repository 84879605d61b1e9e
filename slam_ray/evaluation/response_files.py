"""Responses made elsewhere: a table (JSON Lines or array, CSV, TSV, Parquet) with responses and gold answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from slam_ray.config import InputError
from slam_ray.corpora.gold_answers import Gold, gold_numbers
from slam_ray.corpora.parts import Part
from slam_ray.corpora.tables import by_ending, reach

MOST_KEYS, MOST_DOTS = 6, 9  # keys in a message, and dots in a key


@dataclass(frozen=True)
class ResponseWithAnswer:
    """A response and the gold answer, a number."""

    response: str
    answer: float


def read_answered(file: Path, response_key: str, answer_key: str, language: str) -> list[ResponseWithAnswer]:
    """All rows of a file; keys other than the two are ignored.

    Args:
        file: a table, by the ending of its name.
        response_key: of a text; dots reach into objects and lists (`resps.0.0`).
        answer_key: of a number, or of a text as in gold_answers.py.
        language: of the questions; an answer such as 1,234 is read as this language writes numbers.

    Raises:
        InputError: there is no such file, it is empty, or a row lacks one of the two.
    """
    if not file.is_file():
        raise InputError(f"{file}: No such file; give a JSON Lines file")
    part = Part(file, by_ending, str(file))
    responses, golds = [], []
    try:
        for number, row in part.rows():
            where = part.where(number)
            response, answer = (_value(row, key, where) for key in (response_key, answer_key))
            if not isinstance(response, str):
                raise InputError(
                    f"{where}: {response_key} must be a text, got {response!r}{_texts(response, response_key)}"
                )
            responses.append(response)
            golds.append(Gold(answer, language, f"{where}: {answer_key}"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    if not responses:
        raise InputError(f"{file} holds no responses; give one JSON object a line")
    return [
        ResponseWithAnswer(response, answer) for response, answer in zip(responses, gold_numbers(golds), strict=True)
    ]


def _value(row: Mapping[str, Any], key: str, where: str) -> Any:
    try:
        return reach(row, key)
    except KeyError:
        raise InputError(f"{where}: no key {key!r}; the line holds {', '.join(row) or 'none'}") from None


def _texts(value: Any, key: str) -> str:
    """The keys under which texts lie inside a value, for a message."""
    keys = list(islice(_keys_of_texts(value, key), MOST_KEYS))
    return f"; texts are at {', '.join(keys)}" if keys else ""


def _keys_of_texts(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, str):
        yield key
    elif isinstance(value, list | dict) and key.count(".") < MOST_DOTS:
        for name, inner in enumerate(value) if isinstance(value, list) else value.items():
            yield from _keys_of_texts(inner, f"{key}.{name}")

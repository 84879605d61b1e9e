"""Responses made elsewhere, in JSON Lines: one object a line that holds a response and its gold answer."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slam_ray.config import InputError


@dataclass(frozen=True)
class Answered:
    """A response and the gold answer, a number."""

    response: str
    answer: float


def read_answered(file: Path, response_key: str, answer_key: str) -> list[Answered]:
    """All lines of a file; other keys than the two named are ignored.

    Raises:
        InputError: there is no such file or nothing in it, or a line is not a JSON object with a text under
            `response_key` and a number under `answer_key`.
    """
    rows = []
    for where, values in _objects(file):
        for key in (response_key, answer_key):
            if key not in values:
                raise InputError(f"{where}: no key {key!r}; the line holds {', '.join(values) or 'none'}")
        response = values[response_key]
        if not isinstance(response, str):
            raise InputError(f"{where}: {response_key} must be a text, got {response!r}")
        rows.append(Answered(response, _number(values[answer_key], f"{where}: {answer_key}")))
    if not rows:
        raise InputError(f"{file} holds no responses; give one JSON object a line")
    return rows


def _objects(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; give a JSON Lines file") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{file}:{number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: not JSON ({error}); each line must be one JSON object") from None
        if not isinstance(values, dict):
            raise InputError(f"{where}: {type(values).__name__} instead of a JSON object")
        yield where, values


def _number(value: Any, where: str) -> float:
    """A gold answer: a number, or its text, in which commas may part thousands (5,600)."""
    if isinstance(value, str):
        try:
            value = float(value.replace(",", ""))
        except ValueError:
            raise InputError(f"{where} must be a number, got {value!r}") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{where} must be a number, got {value!r}")
    return float(value)

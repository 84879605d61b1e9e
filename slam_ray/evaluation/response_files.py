"""Responses made elsewhere, in JSON Lines: one object a line that holds a response and its gold answer."""

from dataclasses import dataclass
from pathlib import Path

from slam_ray.config import InputError
from slam_ray.corpora.formats.layout import finite_number, gold
from slam_ray.corpora.tables import json_lines


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
    if not file.is_file():
        raise InputError(f"{file}: No such file; give a JSON Lines file")
    rows = []
    try:
        lines = list(json_lines(file))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    for number, values in lines:
        where = f"{file}:{number}"
        for key in (response_key, answer_key):
            if key not in values:
                raise InputError(f"{where}: no key {key!r}; the line holds {', '.join(values) or 'none'}")
        response, answer = values[response_key], values[answer_key]
        if not isinstance(response, str):
            raise InputError(f"{where}: {response_key} must be a text, got {response!r}")
        read = gold if isinstance(answer, str) else finite_number
        rows.append(Answered(response, read(answer, f"{where}: {answer_key}")))
    if not rows:
        raise InputError(f"{file} holds no responses; give one JSON object a line")
    return rows

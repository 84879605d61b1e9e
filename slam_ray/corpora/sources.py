"""Records from JSON Lines files; a line that cannot be used is named with what it should hold."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from slam_ray.config import InputError
from slam_ray.corpora.records import Pair, Problem, Question

Record = TypeVar("Record", Question, Pair, Problem)
MAX_BYTES = 2**30


def existing(path: str, key: str) -> Path:
    """The file `path`, which the configuration names under `key`; InputError if it cannot be read as a corpus."""
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{key}: no such file: {file}; give a JSON Lines file")
    if file.stat().st_size > MAX_BYTES:
        raise InputError(f"{key}: {file} is over 1 GiB; one process prepares a corpus, so give a sample of it")
    return file


def read_jsonl(file: Path, kind: type[Record]) -> list[Record]:
    """All records of a file, in its order; keys that a record does not have are ignored.

    Raises:
        InputError: a line is not a JSON object, lacks a key, holds a value of the wrong type, or repeats an earlier
            record.
    """
    seen: dict[tuple[str, ...], int] = {}
    records = []
    for number, values in _objects(file):
        record = _record(kind, values, f"{file}:{number}")
        key = tuple(str(getattr(record, name)) for name in ("id", "language", "kind") if hasattr(record, name))
        if key in seen:
            raise InputError(f"{file}:{number}: repeats {' '.join(key)} of line {seen[key]}; give each its own id")
        seen[key] = number
        records.append(record)
    return records


def _objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
                raise InputError(f"{file}:{number}: not JSON ({error}); each line must be one JSON object") from None
            if not isinstance(values, dict):
                raise InputError(f"{file}:{number}: {type(values).__name__} instead of a JSON object")
            yield number, values


def _record(kind: type[Record], values: dict[str, Any], where: str) -> Record:
    types = get_type_hints(kind)
    wanted = [field.name for field in fields(kind)]
    missing = [name for name in wanted if name not in values]
    if missing:
        raise InputError(f"{where}: no key {missing[0]!r}; a line needs {', '.join(wanted)}")
    return kind(**{name: _value(values[name], types[name], f"{where}: {name}") for name in wanted})


def _value(value: Any, kind: Any, where: str) -> Any:
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not abs(value) < float("inf"):
            raise InputError(f"{where} must be a number, got {value!r}")
        return float(value)
    choices = get_args(kind)
    if choices and value not in choices:
        raise InputError(f"{where} must be one of {', '.join(choices)}, got {value!r}")
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where} must be a text that is not empty, got {value!r}")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise InputError(f"{where} holds half of a surrogate pair; write the character itself")
    return value

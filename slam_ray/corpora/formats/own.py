"""One's own records: JSON Lines, Parquet, TSV, CSV or a dataset of the Hub, with the keys of records.py as columns.

Columns with other names are mapped by `columns`, what is the same for all rows is given by `values`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from slam_ray.config import InputError, SourceConfig, nearest
from slam_ray.corpora.formats.layout import Format, Parts, Reader, finite_number, gold, whole
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.tables import BY_SUFFIX, by_suffix

Record = TypeVar("Record", bound=Question | Pair | Problem)
KINDS: tuple[type, ...] = (Question, Pair, Problem)
TYPES: dict[type, dict[str, Any]] = {kind: get_type_hints(kind) for kind in KINDS}
TYPES[Problem]["answer"] = float  # one's own problems are answered with numbers
ROW_NUMBER = "#"


def _files(path: Path, split: str) -> dict[str, Path]:
    """The file, or all tables in a folder in the order of their names; called by their endings, not by their names."""
    if not path.is_dir():
        return {path.suffix: path}
    tables = [file for file in sorted(path.iterdir()) if file.suffix in BY_SUFFIX]
    return {f"{index}{file.suffix}": file for index, file in enumerate(tables)}


def _reader(kind: type[Record]) -> Reader:
    def read(parts: Parts, source: SourceConfig) -> Iterator[Record]:
        keys = TYPES[kind]
        for key in {**source.columns, **source.values}:
            if key not in keys:
                raise InputError(f"{source.path or source.hub}: columns or values for {key!r}: {nearest(key, keys)}")
        seen: dict[tuple[str, ...], tuple[str, int]] = {}
        for part in parts.values():
            for number, columns in part.rows():
                where, row = f"{part.label}:{number}", {**columns, ROW_NUMBER: str(number)}
                values = {key: _found(key, source, row, where) for key in keys}
                record = _record(kind, values if part.typed else _as_typed(values, where), where)
                before = seen.setdefault(identity(record), (part.label, number))
                if before != (part.label, number):
                    place = f"line {before[1]}" if before[0] == part.label else f"{before[0]}:{before[1]}"
                    raise InputError(f"{where}: repeats {' '.join(identity(record))} of {place}; give each its own id")
                yield record

    return read


def identity(record: Question | Pair | Problem) -> tuple[str, ...]:
    """What no two records of a corpus share."""
    return (record.id, record.language, record.kind) if isinstance(record, Pair) else (record.id, record.language)


def _found(key: str, source: SourceConfig, row: Mapping[str, Any], where: str) -> Any:
    if key in source.values:
        return source.values[key]
    column = source.columns.get(key, key)
    if column in row:
        return row[column]
    value: Any = row
    for name in column.split("."):
        if not isinstance(value, Mapping) or name not in value:
            wanted = f"no key {column!r}" if column == key else f"no column {column!r} for {key}"
            raise InputError(f"{where}: {wanted}; there are {', '.join(name for name in row if name != ROW_NUMBER)}")
        value = value[name]
    return value


def _as_typed(values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Where a table does not tell numbers from texts: ids as texts, answers as numbers."""
    id_, answer = values["id"], values.get("answer")
    typed: dict[str, Any] = {"id": str(id_) if isinstance(id_, int) else id_}
    if isinstance(answer, str):
        typed["answer"] = gold(answer, f"{where}: answer")
    return {**values, **typed}


def _record(kind: type[Record], values: Mapping[str, Any], where: str) -> Record:
    return kind(**{name: _value(values[name], type_, f"{where}: {name}") for name, type_ in TYPES[kind].items()})


def _value(value: Any, kind: Any, where: str) -> Any:
    if kind is float:
        return finite_number(value, where)
    choices = get_args(kind)
    if choices and value not in choices:
        raise InputError(f"{where} must be one of {', '.join(choices)}, got {value!r}")
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where} must be a text that is not empty, got {value!r}")
    return whole(value, where)


FORMAT = Format(
    layout="table (JSON Lines, Parquet, TSV, CSV)",
    split="train",
    files=_files,
    parse=by_suffix,
    subsets={},
    readers={kind: _reader(kind) for kind in KINDS},
    own=True,
)

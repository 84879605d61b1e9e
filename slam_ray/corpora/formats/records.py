"""The user's own records: JSON Lines or array, Parquet, TSV, CSV or a dataset of the Hub.

Columns are called like the fields in corpora/records.py. Those with other names are mapped by `columns`; `values` are
the same for all rows. An id may be an integer and an answer a text that is a number, or that ends in GSM8K's `#### 18`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from slam_ray.config import InputError, SourceConfig, nearest
from slam_ray.corpora.formats.files import FoundParts, tables_of
from slam_ray.corpora.formats.layout import Format, Parts, Reader, answered, checked_text
from slam_ray.corpora.gold_answers import Gold
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.parts import Part
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.tables import BY_ENDING, by_ending, ending, reach

Record = TypeVar("Record", bound=Question | Pair | Problem)
KINDS: tuple[type, ...] = (Question, Pair, Problem)
TYPES: dict[type, dict[str, Any]] = {kind: get_type_hints(kind) for kind in KINDS}
ROW_NUMBER = "#"


def _files(path: Path, split: str | None, languages: Languages) -> FoundParts[Path]:
    """The file, or the tables in a folder in the order of their names; called by their endings, not by their names."""
    if not path.is_dir():
        return FoundParts({ending(path): path})
    tables = tables_of(path, split, lambda file: ending(file) in BY_ENDING)
    return FoundParts({f"{index}{ending(file)}": file for index, file in enumerate(tables)})


def _reader(kind: type[Record]) -> Reader:
    def read(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Any]:
        keys = TYPES[kind]
        for key in {**source.columns, **source.values}:
            if key not in keys:
                raise InputError(f"{source.path or source.hub}: columns or values for {key!r}: {nearest(key, keys)}")
        if kind is not Problem:
            return (record for record, *_ in _records(kind, parts, source))
        questions, golds = [], []
        for question, values, part, number in _records(Question, parts, source, ("answer",)):
            questions.append(question)
            golds.append(Gold(values["answer"], question.language, f"{part.where(number)}: answer"))
        return answered(questions, golds)

    return read


def _records(
    kind: type[Record], parts: Parts, source: SourceConfig, more: tuple[str, ...] = ()
) -> Iterator[tuple[Record, Mapping[str, Any], Part, int]]:
    """Each record with the values that it and the keys `more` have in its row, its part and the row's number there.

    A corpus has many records, and most have no fault: so where one is, is put into words only for an error.
    """
    rows: dict[tuple[str, ...], tuple[Part, int]] = {}
    columns = {key: source.columns.get(key, key) for key in (*TYPES[kind], *more) if key not in source.values}
    choices = {key: get_args(type_) for key, type_ in TYPES[kind].items()}
    for part in parts.values():
        for number, row in part.rows():
            row[ROW_NUMBER] = str(number)
            values = dict(source.values)
            for key, column in columns.items():
                values[key] = row[column] if column in row else _reached(part, number, row, key, column)
            values["id"] = _as_text(values["id"])
            record = kind(*(_text(part, number, values[key], key, allowed) for key, allowed in choices.items()))
            first_part, line = rows.setdefault(identity(record), (part, number))
            if (first_part, line) != (part, number):
                place = f"{part.unit} {line}" if first_part is part else first_part.where(line)
                mend = (
                    "give each its own id"
                    if first_part is part
                    else "both are read; give one file's path, or a `split`"
                )
                repeated = " ".join(identity(record))
                raise InputError(f"{part.where(number)}: repeats {repeated} of {place}; {mend}")
            yield record, values, part, number


def identity(record: Question | Pair | Problem) -> tuple[str, ...]:
    """What no two records of a corpus share."""
    return (record.id, record.language, record.kind) if isinstance(record, Pair) else (record.id, record.language)


def _reached(part: Part, number: int, row: Mapping[str, Any], key: str, column: str) -> Any:
    try:
        return reach(row, column)
    except KeyError:
        wanted = f"no key {column!r}" if column == key else f"no column {column!r} for {key}"
        raise InputError(
            f"{part.where(number)}: {wanted}; there are {', '.join(name for name in row if name != ROW_NUMBER)}"
        ) from None


def _as_text(id_: Any) -> Any:
    return str(id_) if isinstance(id_, int) and not isinstance(id_, bool) else id_


def _text(part: Part, number: int, value: Any, key: str, choices: tuple[str, ...]) -> Any:
    if choices:
        if value not in choices:
            raise InputError(f"{part.where(number)}: {key} must be one of {', '.join(choices)}, got {value!r}")
        return value
    if not isinstance(value, str) or not (text := checked_text(part, number, value, key)).strip():
        raise InputError(f"{part.where(number)}: {key} must be a text that is not empty, got {value!r}")
    return text


FORMAT = Format(
    layout="table (JSON Lines or array, Parquet, TSV, CSV)",
    split="train",
    files=_files,
    parse=by_ending,
    subsets={},
    readers={kind: _reader(kind) for kind in KINDS},
    user_records=True,
)

"""The rows of one file, by its form: JSON Lines, CSV and TSV with a header, Parquet, MGSM's bare TSV, plain lines.

Each function takes a file and gives its rows with their numbers; what is wrong with a row is an `InputError`.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from slam_ray.config import InputError

Row = tuple[int, dict[str, Any]]


def json_lines(file: Path) -> Iterator[Row]:
    """One JSON object a line; empty lines are skipped."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8, and endless integers
                raise InputError(f"{file}:{number}: not JSON ({error}); each line must be one JSON object") from None
            if not isinstance(values, dict):
                raise InputError(f"{file}:{number}: {type(values).__name__} instead of a JSON object")
            yield number, values


def comma_separated(file: Path) -> Iterator[Row]:
    """CSV: a header line, then a row a line, quoted where necessary."""
    return _separated(file, ",")


def tab_separated(file: Path) -> Iterator[Row]:
    """TSV with a header line; a value that holds a tab or begins with a quotation mark is quoted as in CSV."""
    return _separated(file, "\t")


def parquet(file: Path) -> Iterator[Row]:
    """Parquet, each row with all its columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(file).to_pylist()
    # Arrow's word for most damage is OSError; dates that Python has not are an OverflowError.
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        raise InputError(f"{file}: not Parquet ({error})") from None
    return enumerate(rows, start=1)


def plain_lines(file: Path) -> Iterator[Row]:
    """Each line as {"text": ...}; a line without text stays, so that files go on being aligned."""
    for number, line in _lines(file):
        yield number, {"text": line}


def question_tab_answer(file: Path) -> Iterator[Row]:
    """MGSM's form, `question<TAB>answer` without a header, as {"question": ..., "answer_number": ...}."""
    for number, line in _lines(file):
        question, tab, answer = line.rpartition("\t")
        if not tab:
            raise InputError(f"{file}:{number}: no tab; a line is the question, a tab, the answer")
        yield number, {"question": question, "answer_number": answer}


BY_SUFFIX: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": comma_separated,
    ".json": json_lines,
    ".jsonl": json_lines,
    ".parquet": parquet,
    ".tsv": tab_separated,
}
UNTYPED = (".csv", ".parquet", ".tsv")


def by_suffix(file: Path) -> Iterator[Row]:
    """A table by the ending of its name; JSON Lines if that says nothing."""
    return BY_SUFFIX.get(file.suffix, json_lines)(file)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines end in a line feed alone: texts hold other characters that Python would split at."""
    with file.open(encoding="utf-8", newline="\n") as stream:
        yield from ((number, line.rstrip("\r\n")) for number, line in _decoded(file, stream))


def _separated(file: Path, separator: str) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader((line for _, line in _decoded(file, stream)), delimiter=separator, strict=True)
        try:
            header = next(reader, None)
            for row in reader:
                if not row:
                    continue
                if header is None or len(row) != len(header):
                    raise InputError(
                        f"{file}:{reader.line_num}: {len(row)} values under the {len(header or ())} names of the first"
                        " line; quote a value that holds the separator"
                    )
                yield reader.line_num, dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise InputError(f"{file}:{reader.line_num}: {error}; a quotation mark in a value is doubled") from None


def _decoded(file: Path, stream: TextIO) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        for number, line in enumerate(stream, start=1):
            yield number, line
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 after line {number} ({error})") from None

"""The rows of one file, by its form: JSON Lines or array, CSV and TSV with a header, Parquet, bare TSV, plain lines.

Each function takes a file and gives its rows with their numbers; what is wrong with a row is an `InputError`. All but
Parquet may be packed by gzip and begin with a byte order mark; they are UTF-8.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, AnyStr

from slam_ray.config import InputError

NumberedRow = tuple[int, dict[str, Any]]  # the number of a row, from 1, and its values by column

PACKED = ".gz"
MOST_BYTES = 2**30  # of a file, unpacked
BYTE_ORDER_MARK = "\ufeff"
_UTF_16 = "UTF-16; save it as UTF-8"
# What files that are no UTF-8 text begin with.
_BEGINNINGS = {
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
    b"\x1f\x8b": f"packed by gzip; let its name end in {PACKED}",
    b"PK\x03\x04": "a workbook or another zip archive; unpack it, or save it as CSV",
    b"\x28\xb5\x2f\xfd": f"packed by zstd; unpack it, or pack it by gzip ({PACKED})",
    b"\xfd7zXZ": f"packed by xz; unpack it, or pack it by gzip ({PACKED})",
    b"BZh": f"packed by bzip2; unpack it, or pack it by gzip ({PACKED})",
    b"PAR1": "Parquet; let its name end in .parquet",
}


def json_objects(file: Path) -> Iterator[NumberedRow]:
    """JSON Lines, one object a line, empty lines skipped; or one array of objects, whose rows are its elements."""
    with _opened(file) as stream:
        array = _begins_array(stream)
        for number, values in _array(file, stream) if array else _json_lines(file, stream):
            if not isinstance(values, dict):
                where = f"{file}, element {number}" if array else f"{file}:{number}"
                raise InputError(f"{where}: {type(values).__name__} instead of a JSON object")
            yield number, values


def comma_separated(file: Path) -> Iterator[NumberedRow]:
    """CSV: a header line, then a row a line, quoted where necessary."""
    return _separated(file, ",")


def tab_separated(file: Path) -> Iterator[NumberedRow]:
    """TSV with a header line; a value that holds a tab or begins with a quotation mark is quoted as in CSV."""
    return _separated(file, "\t")


def parquet(file: Path) -> Iterator[NumberedRow]:
    """Parquet, each row with all its columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(file).to_pylist()
    # Arrow's word for most damage is OSError; dates that Python has not are an OverflowError.
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        raise InputError(f"{file}: not Parquet ({error})") from None
    return enumerate(rows, start=1)


def plain_lines(file: Path) -> Iterator[NumberedRow]:
    """Each line as {"text": ...}; a line without text stays, so that files go on being aligned."""
    for number, line in _text_lines(file):
        yield number, {"text": line}


def question_tab_answer(file: Path) -> Iterator[NumberedRow]:
    """MGSM's form, `question<TAB>answer` without a header, as {"question": ..., "answer_number": ...}."""
    for number, line in _text_lines(file):
        question, tab, answer = line.rpartition("\t")
        if not tab:
            raise InputError(f"{file}:{number}: no tab; a line is the question, a tab, the answer")
        yield number, {"question": question, "answer_number": answer}


BY_ENDING: dict[str, Callable[[Path], Iterator[NumberedRow]]] = {
    ".csv": comma_separated,
    ".json": json_objects,
    ".jsonl": json_objects,
    ".parquet": parquet,
    ".tsv": tab_separated,
}


def ending(file: Path) -> str:
    """What the name of a file says of its form: its last suffix in small letters, `.gz` left out."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix != PACKED), "")


def by_ending(file: Path) -> Iterator[NumberedRow]:
    """A table, whose form the ending of its name says; if that says nothing, JSON Lines or an array."""
    if ending(file) in BY_ENDING:
        yield from BY_ENDING[ending(file)](file)
        return
    try:
        yield from json_objects(file)
    except InputError as error:
        raise InputError(f"{error} (read as JSON Lines: its name ends in none of {' '.join(BY_ENDING)})") from None


def is_array(file: Path, parse: Callable[[Path], Iterator[NumberedRow]]) -> bool:
    """Whether the rows that `parse` gives of a file are the elements of a JSON array."""
    if parse is by_ending:
        parse = BY_ENDING.get(ending(file), json_objects)
    if parse is not json_objects:
        return False
    with _opened(file) as stream:
        return _begins_array(stream)


def reach(row: Mapping[str, Any], column: str) -> Any:
    """The value in a column, or inside one: `translation.sw`, and by its place in a list `resps.0.0`.

    Raises:
        KeyError: there is none.
    """
    if column in row:
        return row[column]
    value: Any = row
    for name in column.split("."):
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (IndexError, TypeError, ValueError):
            raise KeyError(column) from None
    return value


@contextmanager
def _opened(file: Path) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """A file as its unpacked bytes.

    Raises:
        InputError: also in the body; it is damaged, or no UTF-8 text.
    """
    packed = file.suffix.lower() == PACKED
    try:
        with gzip.open(file) if packed else file.open("rb") as stream:
            head = stream.peek(8)
            for beginning, what in _BEGINNINGS.items():
                if head.startswith(beginning):
                    raise InputError(f"{file} is {what}")
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{file}: not gzip, or not all of it ({error}); fetch or pack it anew") from None


def _begins_array(stream: io.BufferedReader | gzip.GzipFile) -> bool:
    return stream.peek(64).removeprefix(BYTE_ORDER_MARK.encode()).lstrip().startswith(b"[")


def _lines(file: Path, stream: Iterable[AnyStr]) -> Iterator[tuple[int, AnyStr]]:
    """Lines with their numbers; InputError if there is a NUL, too much of them, or (where decoded) no UTF-8."""
    number = size = 0
    try:
        for number, line in enumerate(stream, start=1):
            size += len(line)
            if size > MOST_BYTES:
                raise InputError(f"{file} is over 1 GiB unpacked; give a sample of it")
            if (b"\0" if isinstance(line, bytes) else "\0") in line:
                raise InputError(f"{file}:{number}: holds a NUL, as no text does; if it is {_UTF_16}")
            yield number, line
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 after line {number} ({error})") from None


def _text_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers. Only a line feed ends one: texts hold the other characters at which Python splits."""
    with _opened(file) as stream:
        for number, line in _lines(file, stream):
            try:
                text = line.decode().removeprefix(BYTE_ORDER_MARK).rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise InputError(f"{file}: not UTF-8 after line {number - 1} ({error})") from None
            if "\r" in text:
                raise InputError(f"{file}:{number}: a carriage return inside a line; end lines in a line feed")
            yield number, text


def _json_lines(file: Path, stream: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    for number, line in _lines(file, stream):
        if line.isspace():
            continue
        try:
            yield number, _json(line)
        except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8, and endless integers
            raise InputError(
                f"{file}:{number}: not JSON ({error}); each line must be one JSON object, or the file one array of them"
            ) from None


def _array(file: Path, stream: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    text = b"".join(line for _, line in _lines(file, stream))
    try:
        values = _json(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(f"{file}{f':{line}' if line else ''}: not JSON ({error}); it begins as one array") from None
    return enumerate(values, start=1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} is twice in one object")
    return values


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _json(text: bytes) -> Any:
    """As `json.loads`, which makes a decoder for every line."""
    return _DECODER.decode(text.decode(json.detect_encoding(text), "surrogatepass"))


def _separated(file: Path, separator: str) -> Iterator[NumberedRow]:
    with _opened(file) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader((line for _, line in _lines(file, text)), delimiter=separator, strict=True)
        try:
            header = _header(file, next(reader, []), separator)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise InputError(
                        f"{file}:{reader.line_num}: {len(row)} values under the {len(header)} names of the first"
                        " line; quote a value that holds the separator"
                    )
                yield reader.line_num, {name: value for name, value in zip(header, row, strict=True) if name}
        except csv.Error as error:
            raise InputError(f"{file}:{reader.line_num}: {error}; a quotation mark in a value is doubled") from None


def _header(file: Path, row: list[str], separator: str) -> list[str]:
    """The names of the columns; one without a name, such as a table's index, is not read."""
    names = [name.replace(BYTE_ORDER_MARK, "").strip() for name in row]
    for name in filter(None, names):
        if names.count(name) > 1:
            raise InputError(f"{file}:1: two columns are called {name!r}; give each its own name")
    for other in {",", ";", "\t"} - {separator}:
        if len(names) == 1 and other in names[0]:
            raise InputError(f"{file}:1: the names are separated by {other!r}; here {separator!r} separates")
    return names

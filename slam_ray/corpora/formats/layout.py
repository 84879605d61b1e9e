"""What a format is, and what several of them share."""

import hashlib
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from slam_ray.config import InputError, SourceConfig
from slam_ray.config.load import SURROGATE
from slam_ray.corpora.parts import Part
from slam_ray.corpora.records import Problem, Question
from slam_ray.corpora.tables import Row

Parts = Mapping[str, Part]
Reader = Callable[[Parts, SourceConfig], Iterator[Any]]


@dataclass(frozen=True)
class Format:
    """A layout that corpora are published in, or one's own records.

    Attributes:
        layout: its files in words, for messages.
        split: what is read where the source names no split.
        files: the files of a split in a folder (or the file itself), by the names that `readers` know them by.
        parse: the rows of a file, in the columns that the Hub's edition has.
        subsets: those names -> the Hub's names of the same parts; empty if the format is not on the Hub.
        readers: for each kind of record that it can give, a function from its parts to the records.
        own: whether the records are the user's own, so that a repeated one is a mistake to mend; published corpora
            are taken as they are, and what they repeat is left out.
        choices: whether its problems are answered with the label of a choice instead of a number.
        numbered: whether its ids are row numbers, which mean nothing beside those of another source.
    """

    layout: str
    split: str
    files: Callable[[Path, str], dict[str, Path]]
    parse: Callable[[Path], Iterator[Row]]
    subsets: Mapping[str, str | None]
    readers: Mapping[type, Reader]
    own: bool = False
    choices: bool = False
    numbered: bool = False


def normalised(text: str) -> str:
    """A text without differences in case, spaces and widths of characters."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def problem_id(english: str) -> str:
    """An id for a problem that has none: a hash of its English question, so the same in every corpus that holds it."""
    return hashlib.sha256(normalised(english).encode()).hexdigest()[:16]


def cell(part: Part, number: int, row: Mapping[str, Any], column: str) -> str:
    """The text in a column of a row; InputError if there is none."""
    if not isinstance(row.get(column), str):
        raise InputError(f"{part.label}:{number}: no text in column {column!r}; it has {', '.join(row)}")
    return whole(str(row[column]).strip(), f"{part.label}:{number}: {column}")


def whole(text: str, where: str) -> str:
    """A text that can be written as UTF-8; InputError for one that holds half a character, as JSON's escapes allow."""
    if SURROGATE.search(text):
        raise InputError(f"{where} holds half of a surrogate pair; write the character itself")
    return text


def gold(text: str, where: str) -> float:
    """A gold answer that stands as a text: "18", "5,600", "8.0"; InputError if it is no number."""
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where} must be a number, got {text!r}")
    return number


def finite_number(value: Any, where: str) -> float:
    """A number as JSON gives it; InputError for anything else, and for one that no float can hold."""
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where} must be a number, got {value!r}")
    return number


def numbered_questions(column: str) -> Reader:
    """Questions where each language is a part and the row's number is the problem's id."""

    def read(parts: Parts, source: SourceConfig) -> Iterator[Question]:
        for language, part in parts.items():
            for number, row in part.rows():
                yield Question(str(number), language, cell(part, number, row, column))

    return read


def numbered_problems(column: str, answer: str) -> Reader:
    """Problems where each language is a part and the row's number is the problem's id."""

    def read(parts: Parts, source: SourceConfig) -> Iterator[Problem]:
        for language, part in parts.items():
            for number, row in part.rows():
                value = gold(str(row.get(answer)), f"{part.label}:{number}: answer")
                yield Problem(str(number), language, cell(part, number, row, column), value)

    return read


def aligned_lines(part: Part, english: Part) -> Iterator[tuple[str, str]]:
    """Text and English of each row that has both; InputError if one part is longer."""
    for row, english_row in zip_longest(part.rows(), english.rows()):
        if row is None or english_row is None:
            raise InputError(f"{part.label} and {english.label} differ in length; they must be aligned line by line")
        (number, values), (_, english_values) = row, english_row
        column = "sentence" if "sentence" in values else "text"
        text, translation = (cell(part, number, side, column) for side in (values, english_values))
        if text and translation:
            yield text, translation


def named_files(folder: Path, pattern: str, names: Mapping[str, str]) -> dict[str, Path]:
    """The files of a folder whose name is `pattern`, whose one group is a key of `names`; by its value."""
    found = {file: re.fullmatch(pattern, file.name) for file in sorted(folder.glob("*"))}
    return {names[match[1]]: file for file, match in found.items() if match and match[1] in names}

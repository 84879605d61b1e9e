"""What a format is, and the functions that several formats share."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from slam_ray.config import InputError, SourceConfig
from slam_ray.config.load import SURROGATE
from slam_ray.corpora.formats.files import FoundParts, Subsets
from slam_ray.corpora.gold_answers import Gold, gold_numbers
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.parts import Part
from slam_ray.corpora.records import Problem, Question
from slam_ray.corpora.tables import BYTE_ORDER_MARK, NumberedRow

Parts = Mapping[str, Part]
Reader = Callable[[Parts, SourceConfig, Languages], Iterator[Any]]


@dataclass(frozen=True)
class Format:
    """A layout that corpora are published in, or one's own records.

    Attributes:
        layout: its files in words, for messages.
        split: what is read where the source names no split.
        files: the files of a split in a folder (or the file itself), by the names that `readers` know them by; they
            raise InputError for a split or a file that cannot be meant.
        parse: the rows of a file, in the columns that the Hub's edition has.
        subsets: those names -> the Hub's names of the same parts, or which of its names are languages; empty if the
            format is not on the Hub.
        readers: for each kind of record that it can give, a function from its parts to the records.
        user_records: whether the records are the user's own, so that a repeated one is a mistake to mend; what
            published corpora repeat is left out, as they are taken as they are.
        multiple_choice: whether its problems are answered with the label of a choice instead of a number.
        row_number_ids: whether its ids are row numbers, which mean nothing beside those of another source.
        rows_name_language: whether its rows say their language by its name.
    """

    layout: str
    split: str
    files: Callable[[Path, str | None, Languages], FoundParts[Path]]
    parse: Callable[[Path], Iterator[NumberedRow]]
    subsets: Mapping[str, str | None] | Subsets
    readers: Mapping[type, Reader]
    user_records: bool = False
    multiple_choice: bool = False
    row_number_ids: bool = False
    rows_name_language: bool = False


# Invisible characters: control characters, and those that Unicode calls default ignorable (zero widths, soft hyphen,
# marks of direction and of variants).
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)


def normalised(text: str) -> str:
    """A text without differences in case, spaces, widths of characters and invisible characters."""
    if text.isascii() and text.isprintable():  # nothing to replace or to take out
        return " ".join(text.casefold().split())
    return " ".join(INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold().split())


def problem_id(english: str) -> str:
    """An id for a problem that has none: a hash of its English question, so the same in every corpus that holds it."""
    return hashlib.sha256(normalised(english).encode()).hexdigest()[:16]


def cell(part: Part, number: int, row: Mapping[str, Any], column: str) -> str:
    """The text in a column of a row; InputError if there is none."""
    if not isinstance(row.get(column), str):
        raise InputError(f"{part.where(number)}: no text in column {column!r}; it has {', '.join(row)}")
    return checked_text(part, number, row[column], column).strip()


def checked_text(part: Part, number: int, text: str, name: str) -> str:
    """A text as a model reads it: without byte order marks, its lines ended by line feeds.

    Args:
        part: that holds it.
        number: of its row there.
        text: as it is there.
        name: what it is called there, for messages.

    Raises:
        InputError: it holds a NUL, or half a character, as JSON's escapes allow.
    """
    if text.isprintable():  # no character of a text that is has to be refused or replaced
        return text
    if SURROGATE.search(text):
        raise InputError(f"{part.where(number)}: {name} holds half of a surrogate pair; write the character itself")
    if "\0" in text:
        raise InputError(f"{part.where(number)}: {name} holds a NUL, as no text does; take it out")
    return text.replace(BYTE_ORDER_MARK, "").replace("\r\n", "\n").replace("\r", "\n")


def numbered_questions(column: str) -> Reader:
    """Questions where each language is a part and the row's number is the problem's id."""

    def read(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Question]:
        for language, part in parts.items():
            for number, row in part.rows():
                yield Question(str(number), language, cell(part, number, row, column))

    return read


def numbered_problems(column: str, answer: str) -> Reader:
    """Problems where each language is a part and the row's number is the problem's id."""

    def read(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Problem]:
        questions, golds = [], []
        for language, part in parts.items():
            for number, row in part.rows():
                if answer not in row:
                    raise InputError(f"{part.where(number)}: no column {answer!r}; it has {', '.join(row)}")
                questions.append(Question(str(number), language, cell(part, number, row, column)))
                golds.append(Gold(row[answer], language, f"{part.where(number)}: answer"))
        yield from answered(questions, golds)

    return read


def answered(questions: Sequence[Question], golds: Sequence[Gold]) -> Iterator[Problem]:
    """Questions with their gold answers, which are one column, as problems."""
    for question, number in zip(questions, gold_numbers(golds), strict=True):
        yield Problem(question.id, question.language, question.question, number)


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

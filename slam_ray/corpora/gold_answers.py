"""Gold answers that a file gives as texts: what comma and point mean in them, by rule, and then by their column.

A comma or a point before exactly three digits may group thousands, before anything else it starts the decimals:

    2,5   0,75   1234,567        2.5, 0.75, 1234.567        1.234,5   1.234.567        1234.5, 1234567
    2.5   1,234.5   1,234,567    2.5, 1234.5, 1234567       1,23,456  1 234  1'234     123456, 1234, 1234

That leaves open what 1,234 and 1.234 are. The other values of the column decide, those of the same language before
those of others. Where none of them does, a comma groups thousands, as in GSM8K and MGSM, whose answers are written in
the English way in every language; and a point starts decimals, as in every programming language, except in a language
that writes decimals with a comma: there, and where the values contradict each other, the value is refused.
"""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from slam_ray.config import InputError
from slam_ray.corpora.iso639 import codes_of

Mark = Literal[".", ","]
Examples = dict[Mark, str]

# Languages that write 1.234,5 or 1 234,5; the others write 1,234.5.
DECIMAL_COMMA = frozenset({
    "af", "az", "be", "bg", "bs", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fo", "fr", "gl", "hr",
    "hu", "hy", "id", "is", "it", "ka", "kk", "lt", "lv", "mk", "nb", "nl", "nn", "no", "pl", "pt", "ro", "ru",
    "sk", "sl", "sq", "sr", "sv", "tr", "uk", "uz", "vi",
})  # fmt: skip

ANSWER_MARK = "####"  # of GSM8K, in front of the answer that ends a worked solution
_POINT = re.compile(
    r"[+-]?(?:(?:\d+|[1-9]\d{0,2}(?P<space>[ ',])\d{3}(?:(?P=space)\d{3})*|[1-9]\d?(?:,\d\d)+,\d{3})?(?:\.\d+)?"
    r"|(?:\d+(?:\.\d+)?|\.\d+)[eE][+-]?\d+)"
)
_COMMA = re.compile(r"[+-]?(?:\d+|[1-9]\d{0,2}(?P<space>[ '.])\d{3}(?:(?P=space)\d{3})*)?(?:,\d+)?")
_PLAIN = {"−": "-", "－": "-", "＋": "+", "，": ",", "．": ".", "’": "'"}


@dataclass(frozen=True)
class Gold:
    """A gold answer as a file gives it.

    Attributes:
        value: a number, or a text that is one or that ends in GSM8K's `#### 18`.
        language: of its question.
        where: file, line and column, for messages.
    """

    value: Any
    language: str
    where: str


@dataclass(frozen=True)
class _Readings:
    """What a figure is if its decimal mark is a point, and if it is a comma; None where it cannot be."""

    text: str
    point: float | None
    comma: float | None

    @property
    def certain(self) -> Mark | None:
        """The decimal mark, if the figure alone says it."""
        if self.point is not None and self.comma is not None:
            return None
        if not re.search("[.,]", self.text):
            return None
        return "," if self.point is None else "."

    @property
    def open(self) -> bool:
        """Whether the two readings differ."""
        return self.point is not None and self.comma is not None and self.point != self.comma


def gold_numbers(column: Sequence[Gold]) -> list[float]:
    """The numbers of a column of gold answers, of one language or of several.

    Raises:
        InputError: a value is no number, or what its comma or point means stays open.
    """
    figures = [_readings(gold) for gold in column]
    certain: dict[str, Examples] = {}  # by language, for each decimal mark that is certain the first figure with it
    for gold, figure in zip(column, figures, strict=True):
        if figure.certain:
            certain.setdefault(gold.language, {}).setdefault(figure.certain, figure.text)
    return [_decided(gold, figure, certain) for gold, figure in zip(column, figures, strict=True)]


def _readings(gold: Gold) -> _Readings:
    if isinstance(gold.value, str):
        text = _plain(gold.value.rpartition(ANSWER_MARK)[2])
        point, comma = _value(_POINT, text, "."), _value(_COMMA, text, ",")
    else:
        text, point = "", _number(gold.value)
        comma = point
    if point is None and comma is None:
        raise InputError(f"{gold.where} must be a number, got {gold.value!r}")
    return _Readings(text, point, comma)


def _plain(text: str) -> str:
    """A text with ASCII digits, signs and spaces, without invisible characters and the point that ends a sentence."""
    plain = text
    if not text.isascii():
        plain = "".join(_PLAIN.get(each) or _plain_character(each) for each in text)
    return plain.strip().removesuffix(".")


def _plain_character(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return {"Zs": " ", "Cf": ""}.get(unicodedata.category(character), character)


def _value(pattern: re.Pattern[str], text: str, mark: Mark) -> float | None:
    if not pattern.fullmatch(text) or not re.search(r"\d", text):
        return None
    return _number(float(re.sub(rf"[^\d{mark}eE+-]", "", text).replace(",", ".")))


def _number(value: Any) -> float | None:
    """A number as JSON or Parquet gives it; None for anything else, and for one that no float can hold."""
    try:
        number = float(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _decided(gold: Gold, figure: _Readings, certain: Mapping[str, Examples]) -> float:
    if figure.open:
        value = figure.comma if _decimal_mark(gold, figure, certain) == "," else figure.point
    else:
        value = figure.comma if figure.point is None else figure.point
    assert value is not None
    return value


def _decimal_mark(gold: Gold, figure: _Readings, certain: Mapping[str, Examples]) -> Mark:
    """The decimal mark of a figure that leaves it open."""
    of_others: Examples = {mark: text for examples in certain.values() for mark, text in examples.items()}
    examples = certain.get(gold.language, of_others)
    habit: Mark = "," if codes_of(gold.language)[0] in DECIMAL_COMMA else "."
    if len(examples) == 1:
        mark = next(iter(examples))
        if gold.language in certain or mark in (habit, "."):
            return mark
        why = f"the column holds {examples[mark]!r}, but {gold.language!r} does not write decimals like that"
    elif examples:
        if gold.language not in certain and habit == ".":  # each language in its own way
            return habit
        why = f"the column holds {examples['.']!r} as well as {examples[',']!r}"
    else:
        if habit == "." or "," in figure.text:
            return "."
        why = f"{gold.language!r} writes decimals with a comma, and no other value says whether this column does"
    whole, fraction = sorted((figure.point or 0.0, figure.comma or 0.0), key=abs, reverse=True)
    either = f"{figure.text} may be {whole:.0f} or {fraction:.15g}"
    raise InputError(f"{gold.where}: {either}: {why}; write {whole:.0f}, or {figure.text}0")

"""A figure such as 1.234,5: which of its separators is the decimal mark, and its value."""

import re
from typing import Literal

from slam_ray.corpora.gold_answers import DECIMAL_COMMA
from slam_ray.corpora.iso639 import codes_of
from slam_ray.evaluation.characters import CURRENCY

DecimalMark = Literal[".", ","]
# The groups are atomic, so that reading a figure takes linear time: it is matched whole or not at all.
FIGURE = r"(?>\d{1,3}(?:[ '’]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*)"
FIGURES = re.compile(FIGURE)
_GROUPED_BY_COMMA = re.compile(r"\d{1,3}(?:,\d{3})+")
_MONEY = re.compile(rf"{CURRENCY} ?$")


def decimal_mark(text: str) -> DecimalMark | None:
    """The mark that a normalised text puts before decimals, by which 1.234 and 1,234 are read.

    The numbers that can be read in only one way (2,5; 1,234.5; 1.234.567; $1,234) show it. It is None if there are none
    of these or they disagree; then the usual mark of the language counts.
    """
    votes = {mark for figure in FIGURES.finditer(text) if (mark := certain_mark(figure)) is not None}
    return votes.pop() if len(votes) == 1 else None


def usual_decimal_mark(*languages: str) -> DecimalMark | None:
    """The decimal mark that all these languages write; None if they differ."""
    marks: set[DecimalMark] = {"," if codes_of(language)[0] in DECIMAL_COMMA else "." for language in languages}
    return marks.pop() if len(marks) == 1 else None


def certain_mark(figure: re.Match[str]) -> DecimalMark | None:
    """The decimal mark of a figure in a text, if only one is possible, as in $1,234: no price has three decimals."""
    mark = _parts(figure[0])[1]
    if mark is None and _GROUPED_BY_COMMA.fullmatch(figure[0]):
        start, end = figure.span()
        money = _MONEY.search(figure.string[max(0, start - 2) : start])
        in_formula = money is not None and money[0] == "$" == figure.string[end : end + 1]  # $1,234$ in LaTeX
        return "." if money is not None and not in_formula else None
    return mark


def without_separators(figure: str, mark: DecimalMark | None) -> str | None:
    """A figure as `float` reads it; None if it is no number, whichever mark is before its decimals.

    Where it can be read in two ways and `mark` is None, three digits are a group, as three decimals are rare.
    """
    joined, certain = _parts(figure)
    if joined is None:
        return None
    decimal = certain or mark or ("." if "," in joined else ",")
    return joined.replace("," if decimal == "." else ".", "").replace(decimal, ".")


def _parts(figure: str) -> tuple[str | None, DecimalMark | None]:
    """A figure without spaces and apostrophes, None if it is no number; its decimal mark if only one is possible."""
    joined = re.sub(r"[ '’]", "", figure)
    marks = re.findall(r"[.,]", joined)
    if not marks:
        return joined, None
    last: DecimalMark = "." if marks[-1] == "." else ","
    other: DecimalMark = "," if last == "." else "."
    head, _, tail = joined.rpartition(last)
    if len(marks) == 1:
        grouped = len(tail) == 3 and len(head) <= 3 and head != "0" and joined == figure
        return joined, None if grouped else last
    if set(marks[:-1]) == {other}:
        return (joined, last) if _is_grouped(head, other) else (None, None)
    return (joined, other) if set(marks) == {last} and _is_grouped(joined, last) else (None, None)


def _is_grouped(figure: str, mark: DecimalMark) -> bool:
    """Whether digits are grouped by thousands, or as in India: 1,23,45,678."""
    return re.fullmatch(rf"\d{{1,3}}(?:\{mark}\d{{3}})+|\d{{1,2}}(?:\{mark}\d\d)+\{mark}\d{{3}}", figure) is not None

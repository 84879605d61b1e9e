"""Numbers as people write them in the paper's languages: native digits, locale separators, signs, fractions, times."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

DecimalMark = Literal[".", ","]

# Of the languages known to the project, those that write 1.234,5 or 1 234,5; the others write 1,234.5.
DECIMAL_COMMA = frozenset({"de", "es", "fr", "it", "nl", "pl", "pt", "ru", "vi"})

CURRENCY = r"[$€£¥₹฿₽₩৳]"
MINUS_WORDS = (
    "minus|negative|negativ|moins|menos|meno|минус|负|負|マイナス|ลบ|hasi|ঋণাত্মক|মাইনাস|ऋण|माइनस|మైనస్|"
    "سالب|ناقص|منفی|마이너스|âm"
)
_FIGURE = r"(?:\d{1,3}(?:[ '’]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*)"
_UNIT = r"(?:[億亿万萬百]|千(?![克米瓦卡]))"  # 千克 is a kilogram, not a thousand of something
_UNITS = {"億": 1e8, "亿": 1e8, "万": 1e4, "萬": 1e4, "千": 1e3, "百": 1e2}
_FORMS = (
    r"(?P<time>(?<![\d.,:])(?:[01]?\d|2[0-4])(?::|\s?h\s?|[時时点點])[0-5]\d(?::[0-5]\d)?(?![\d:]))",
    rf"(?P<fraction>(?<!/)(?:\d+ )?{_FIGURE}\s?/\s?{_FIGURE}(?!\s?/\s?\d))",
    rf"(?P<units>(?:{_FIGURE}\s?{_UNIT}+)+(?:{_FIGURE})?)",
    rf"(?P<figure>{_FIGURE})",
    rf"(?P<below_one>(?:(?<=[\s(=-])|(?<={CURRENCY})|^)\.\d+)",
)
_NUMBER = re.compile("|".join(_FORMS))
_SIGN = re.compile(rf"(?P<minus>-{CURRENCY}?|{CURRENCY}-)$|(?P<word>{MINUS_WORDS})\s*{CURRENCY}?\s*$", re.IGNORECASE)
_SIGN_REACH = 24


@dataclass(frozen=True)
class Number:
    """A number read in a text: its value, and where it stands there, sign included."""

    value: float
    start: int
    end: int


class _PlainCharacters(dict[int, str]):
    """Code point -> what it reads as, worked out when a character first appears."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        plain = char
        if category == "Nd":
            plain = str(unicodedata.decimal(char))
        elif category == "No":
            fraction = unicodedata.normalize("NFKC", char).replace("⁄", "/")
            plain = f" {fraction}" if "/" in fraction else " "
        elif category == "Zs":
            plain = " "
        elif "！" <= char <= "～":  # full-width forms of ASCII
            plain = chr(code - 0xFEE0)
        self[code] = plain
        return plain


_PLAIN = _PlainCharacters({ord("٫"): ".", ord("٬"): ",", **dict.fromkeys(map(ord, "−–‒﹣－"), "-")})


def normalise(text: str) -> str:
    """The same text with ASCII digits, plain spaces, one kind of minus, and without LaTeX and bold markup.

    Superscripts and circled digits are no numbers and become spaces.
    """
    # A full-width comma ends a clause, unless it stands inside a number that is full-width throughout.
    text = re.sub(r"(?<![０-９])，|，(?![０-９])", ", ", text)
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    text = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r" \1/\2", text)
    text = text.replace("{,}", ",").replace("\\!", "").replace("\\$", "$").replace("\\%", "%").replace("**", "")
    return re.sub(r"\\[,;: ]", " ", text)


def decimal_mark(text: str, language: str) -> DecimalMark:
    """The mark that a normalised text puts before decimals, which decides what 1.234 and 1,234 are.

    Numbers that can be read in one way only (2,5; 1,234.5; 1.234.567) decide if they all agree; otherwise the habit
    of `language` does.
    """
    votes = {mark for figure in re.findall(_FIGURE, text) if (mark := _parts(figure)[1]) is not None}
    if len(votes) == 1:
        return votes.pop()
    return "," if language in DECIMAL_COMMA else "."


def find_numbers(text: str, mark: DecimalMark) -> list[Number]:
    """All numbers of a normalised text, in its order.

    A percentage is its figure (25 % is 25), a time its hours (12:30 is 12.5). Figures that no separators can make
    one number of are several (1,2,3). A division by zero is no number.
    """
    return [number for match in _NUMBER.finditer(text) for number in _numbers(match, mark)]


def _numbers(match: re.Match[str], mark: DecimalMark) -> Iterator[Number]:
    text, form = match[0], match.lastgroup
    values: list[tuple[float, int]] = []
    if form == "time":
        hour, minute, *second = map(int, re.findall(r"\d+", text))
        values = [(hour + minute / 60 + sum(second) / 3600, 0)]
    elif form == "fraction":
        values = [(value, 0) for value in _fraction(text, mark)]
    elif form == "units":
        values = [(_with_units(text, mark), 0)]
    elif form == "below_one":
        values = [(float(text), 0)]
    elif (value := _value(text, mark)) is not None:
        values = [(value, 0)]
    else:
        values = [(float(digits[0]), digits.start()) for digits in re.finditer(r"\d+", text)]
    for value, offset in values:
        start = match.start() + offset
        signed = _sign_start(match.string, start) if offset == 0 else None
        end = match.end() if len(values) == 1 else start
        yield Number(value, start, end) if signed is None else Number(-value, signed, end)


def _sign_start(text: str, start: int) -> int | None:
    """Where the minus sign of the number at `start` stands; None without one, or where a minus subtracts."""
    before = text[max(0, start - _SIGN_REACH) : start]
    sign = _SIGN.search(before)
    if sign is None:
        return None
    rest = before[: sign.start()]
    if sign["word"] is not None and rest.strip() and rest.rstrip()[-1] not in "=:(":
        return None
    if re.search(r"[A-Za-z0-9)\]}%]$|[0-9)]\s*$", rest):
        return None
    return start - len(before) + sign.start()


def _fraction(text: str, mark: DecimalMark) -> list[float]:
    above, _, below = (part.strip() for part in text.partition("/"))
    whole, _, numerator = above.rpartition(" ")
    if not whole.isdigit() or len(numerator) == 3:  # 1 3/4, but 1 234/5
        whole, numerator = "0", above
    top, bottom = _value(numerator, mark), _value(below, mark)
    return [int(whole) + top / bottom] if top is not None and bottom else []


def _with_units(text: str, mark: DecimalMark) -> float:
    """1億2000万, 5千, 3.5万: the sum of figures, each times the units behind it."""
    total = 0.0
    for figure, units in re.findall(rf"({_FIGURE})\s?({_UNIT}*)", text):
        value = _value(figure, mark) or 0.0
        for unit in units:
            value *= _UNITS[unit]
        total += value
    return total


def _value(figure: str, mark: DecimalMark) -> float | None:
    """The value of a figure such as 1.234,5; None if its separators make no sense."""
    plain, certain = _parts(figure)
    if plain is None:
        return None
    decimal = certain or mark
    return float(plain.replace("," if decimal == "." else ".", "").replace(decimal, "."))


def _parts(figure: str) -> tuple[str | None, DecimalMark | None]:
    """A figure without spaces and apostrophes, or None if it is no number; its decimal mark if only one is possible."""
    plain = re.sub(r"[ '’]", "", figure)
    marks = re.findall(r"[.,]", plain)
    if not marks:
        return plain, None
    last: DecimalMark = "." if marks[-1] == "." else ","
    other: DecimalMark = "," if last == "." else "."
    head, _, tail = plain.rpartition(last)
    if len(marks) == 1:
        grouped = len(tail) == 3 and len(head) <= 3 and head != "0" and plain == figure
        return plain, None if grouped else last
    if set(marks[:-1]) == {other}:
        return (plain, last) if _is_grouped(head, other) else (None, None)
    return (plain, other) if set(marks) == {last} and _is_grouped(plain, last) else (None, None)


def _is_grouped(figure: str, mark: DecimalMark) -> bool:
    """Whether digits are grouped by thousands, or as in India: 1,23,45,678."""
    return re.fullmatch(rf"\d{{1,3}}(?:\{mark}\d{{3}})+|\d{{1,2}}(?:\{mark}\d\d)+\{mark}\d{{3}}", figure) is not None

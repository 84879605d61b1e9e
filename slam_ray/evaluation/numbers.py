"""Numbers as people write them: native digits, locale separators, signs, fractions, powers, magnitudes, times."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from slam_ray.evaluation.characters import CURRENCY
from slam_ray.evaluation.decimal_marks import FIGURE, FIGURES, DecimalMark, certain_mark, without_separators
from slam_ray.evaluation.magnitudes import magnitude, words_after, words_before

MINUS_WORDS = (
    "minus|negative|negativ|moins|menos|meno|минус|负|負|マイナス|ลบ|hasi|ঋণাত্মক|মাইনাস|ऋण|माइनस|మైనస్|"
    "سالب|ناقص|منفی|마이너스|âm"
)
_SIGN = re.compile(rf"(?P<minus>-{CURRENCY}?|{CURRENCY}-)$|(?P<word>{MINUS_WORDS})\s*{CURRENCY}?\s*$", re.IGNORECASE)
_SIGN_REACH = 24
_EXPONENT = r"\s?\^\s?[{(]?\s?(?P<%s>[+-]?(?>\d+))(?![.,]\d)"
_TIMES_TEN = r"\s?(?:[x×*·⋅]|\\times|\\cdot)\s?10"
# 1.5 million, \boxed{1.5} million, 1.5 \text{ million}
_JOIN = r"(?>[}$]{0,2}[ ~-]?(?:\\(?:text|mathrm)\{ ?)?)"
_FRACTION = re.compile(rf"(?P<above>[^/]+)/\s?(?P<below>{FIGURE})")
_SYMBOLS = {"thousand": 1e3, "million": 1e6, "millions": 1e6, "billion": 1e9}
# A number apart from the words before it belongs to them if it has so many digits: 1만 2000, but not 5만 3.
_DIGITS_APART = 3


@dataclass(frozen=True)
class Number:
    """A number in a text, from `start`, where its sign is, to before `end`; infinite if too large for a float."""

    value: float
    start: int
    end: int


@dataclass(frozen=True)
class Notation:
    """How the numbers of a text are read.

    Attributes:
        language: that the text is written in; by it a word such as "billion" is read.
        mark: before the decimals; by it 1.234 and 1,234 are read, which are both 1234 if it is None.
    """

    language: str
    mark: DecimalMark | None


def find_numbers(text: str, reading: Notation) -> list[Number]:
    """All numbers of a normalised text, in its order.

    A percentage is read as its figure (25 % is 25), a time as hours (12:30 is 12.5), a figure whose separators fit no
    number as several numbers (1,2,3), and a division by zero not at all.
    """
    return [number for match in _forms(reading.language).finditer(text) for number in _numbers(match, reading)]


@cache
def _forms(language: str) -> re.Pattern[str]:
    """All forms of a number, each in a group of that name; a figure alone is in no group."""
    words = rf"{_JOIN}{_words(language)}"
    before = words_before(language)
    named = rf"\b(?i:{before}) {FIGURE}"
    forms = (
        r"(?P<exponent>\^\s?[{(]?\s?[+-]?\d+)",  # of x^2 and m^2: no number
        r"(?P<time>(?<![\d.,:])(?:[01]?\d|2[0-4])(?::|\s?h\s?|[時时点點])[0-5]\d(?::[0-5]\d)?(?![\d:]))",
        rf"(?P<mixed>(?<!/)(?>\d+) {FIGURE}\s?/\s?{FIGURE}(?!\s?/\s?\d)(?:{words})?)",
        *((rf"(?P<named>{named}(?:(?:,| na)? {named})*(?: na {FIGURE})?)",) if before else ()),
        rf"(?<={CURRENCY})(?:(?P<billion>{FIGURE} ?(?:bn|B)\b)|(?P<million>{FIGURE} ?(?:mn?|M)\b))",
        rf"(?<=/){FIGURE}(?=\s?/)",  # of 1/2/2025
        rf"{FIGURE}(?:"
        rf"(?P<fraction>\s?/\s?{FIGURE}(?!\s?/\s?\d)(?:{words})?)"
        rf"|(?P<scientific>{_TIMES_TEN}{_EXPONENT % 'ten'}|[eE](?P<e>[+-]?(?>\d+))(?!\w))"
        rf"|(?P<power>{_EXPONENT % 'raised'})"
        rf"|(?P<counted>{words}(?: ?{FIGURE}{words})*(?: ?{FIGURE}(?![/:^]))?)"
        r"|(?P<thousand>[kK](?!\w| ?(?:gold|run|race))| ?k(?= ?€))"
        r"|(?P<millions> ?M(?= ?€))"
        r")?",
        rf"(?P<below_one>(?:(?<=[\s(=-])|(?<={CURRENCY})|^)\.\d+)",
    )
    return re.compile("|".join(forms))


def _words(language: str) -> str:
    """Up to three words for a magnitude in a row: 3 hundred thousand, mil millones, 千万."""
    word = rf"(?=[^\W\d_])(?i:{words_after(language)})"
    return rf"(?:{word}(?: ?{word}){{0,2}})"


@cache
def _term(language: str) -> re.Pattern[str]:
    """A figure with the words before or behind it."""
    before = rf"(?:\b(?P<before>(?i:{words_before(language) or '(?!)'})) )?"
    return re.compile(rf"[ ,]*(?:na )?{before}(?P<figure>{FIGURE})(?:{_JOIN}(?P<behind>{_words(language)}))?")


@cache
def _word(language: str) -> re.Pattern[str]:
    return re.compile(rf" ?(?P<word>(?i:{words_after(language)}))")


def _numbers(match: re.Match[str], reading: Notation) -> Iterator[Number]:
    for value, start, end in _values(match, reading):
        if math.isnan(value):  # of figures too long for a float
            continue
        signed = _sign_start(match.string, start) if start == match.start() else None
        yield Number(value, start, end) if signed is None else Number(-value, signed, end)


def _values(match: re.Match[str], reading: Notation) -> Iterator[tuple[float, int, int]]:
    """The values in a form, each with its start and end."""
    form, (start, end) = match.lastgroup, match.span()
    if form == "time":
        hour, minute, *second = map(int, re.findall(r"\d+", match[0]))
        yield hour + minute / 60 + sum(second) / 3600, start, end
    elif form in ("mixed", "fraction"):
        fraction = _FRACTION.match(match.string, start)
        assert fraction is not None
        value = _fraction(fraction["above"], fraction["below"], _mark(match.string, start, reading))
        if value is not None:
            yield value * _factor(match.string, fraction.end(), end, reading.language), start, end
    elif form in ("named", "counted"):
        yield from _sums(match, reading)
    elif form == "below_one":
        yield float(match[0]), start, end
    elif form != "exponent":
        yield from _figure(match, reading)


def _figure(match: re.Match[str], reading: Notation) -> Iterator[tuple[float, int, int]]:
    """A figure alone, or with a power or a symbol behind it."""
    start, end = match.span()
    figure = FIGURES.match(match.string, start)
    assert figure is not None
    digits = without_separators(figure[0], _mark(match.string, start, reading))
    form = match.lastgroup
    if digits is None:
        for run in re.finditer(r"\d+", figure[0]):
            yield float(run[0]), start + run.start(), start + run.start()
    elif form == "scientific":
        yield float(f"{digits}e{match['ten'] or match['e']}"), start, end
    elif form == "power":
        yield _power(float(digits), float(match["raised"])), start, end
    else:
        yield float(digits) * _SYMBOLS.get(form or "", 1), start, end


def _mark(text: str, start: int, reading: Notation) -> DecimalMark | None:
    """The decimal mark of the figure that begins at `start`."""
    figure = FIGURES.match(text, start)
    return (figure is not None and certain_mark(figure)) or reading.mark


def _sums(match: re.Match[str], reading: Notation) -> Iterator[tuple[float, int, int]]:
    """1億2000万, 2 lakh 50 thousand, elfu 5 na mia 3: a sum of figures times words, while the words get smaller."""
    text, end = match.string, match.end()
    total, begun, last, position = 0.0, match.start(), math.inf, match.start()
    while position < end and (term := _term(reading.language).match(text, position)) is not None:
        at = term.start("before") if term["before"] else term.start("figure")
        digits = without_separators(term["figure"], _mark(text, term.start("figure"), reading)) or "nan"
        factor = 1.0
        if term["before"]:
            factor = magnitude(term["before"].lower(), reading.language)
        elif term["behind"]:
            factor = _factor(text, term.end("figure"), term.end(), reading.language)
        value = float(digits) * factor
        if at > begun and (value >= last or (factor == 1 and not _belongs(text, at, len(digits), last))):
            yield total, begun, at
            total, begun = 0.0, at
        total, last, position = total + value, factor, term.end()
    yield total, begun, end


def _belongs(text: str, start: int, digits: int, factor: float) -> bool:
    """Whether a figure without a word belongs to the one before it: 2 mil 500, 1만 2000; not 5 million 300 or 5만 3."""
    if text[start - 1] != " " or text.endswith(" na ", 0, start):
        return True
    return digits >= _DIGITS_APART and (factor == 1e3 or not text[start - 2].isascii())


def _factor(text: str, start: int, end: int, language: str) -> float:
    """The product of the words from `start` to `end`."""
    factor, position = 1.0, start
    join = re.compile(_JOIN).match(text, position)
    position = join.end() if join else position
    while position < end and (word := _word(language).match(text, position)) is not None:
        factor, position = factor * magnitude(word["word"].lower(), language), word.end()
    return factor


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
    except ValueError:  # 0 to a negative power
        return math.nan


def _fraction(above: str, below: str, mark: DecimalMark | None) -> float | None:
    whole, _, numerator = above.strip().rpartition(" ")
    if not whole.isdigit() or len(numerator) == 3:  # 1 3/4, but 1 234/5
        whole, numerator = "0", above.strip()
    top, bottom = without_separators(numerator, mark), without_separators(below, mark)
    if top is None or bottom is None or float(bottom) == 0:
        return None
    return float(whole) + float(top) / float(bottom)


def _sign_start(text: str, start: int) -> int | None:
    """The position of the minus sign of the number at `start`; None without one, or where the minus subtracts."""
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

"""The strict extractor of a number: what a response announces as its answer, read as its language writes numbers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slam_ray.config import ENGLISH
from slam_ray.evaluation.characters import CURRENCY, normalise
from slam_ray.evaluation.figures import DecimalMark, decimal_mark, habit
from slam_ray.evaluation.languages import SURE_PROBABILITY, UNCLEAR, written_in
from slam_ray.evaluation.numbers import Number, Reading, find_numbers
from slam_ray.evaluation.phrases import ADVERBS, NEXT_QUESTION, SENTENCE_END, Announcement, announcements

_CHAIN = re.compile(r"(?:[^,;(]|,(?=\d))*=")
_CURRENCY_NAMES = r"shilingi|[A-Z]{3}|US|Rs\.?|Tk\.?|[KT]?[Ss]h\.?"
_GAP = re.compile(
    rf"(?:\s|{CURRENCY}|{_CURRENCY_NAMES}|(?i:{ADVERBS})|[\"'«“(\[{{~≈=,、:*_`]|\\\(|\\\[|\\text\{{|\\boxed\{{)*+"
)
# From the announcement to what it announces, which may stand some lines below.
_BETWEEN = re.compile(r"(?:\s|[:_`]|\*(?! )|\$\$|\\\[)*+")
_FIRST_OF_LIST = re.compile(r"\(?1(?:[.):、](?!\d)|-(?= )) *\S|([*•-]) [^\n]*\n\s*\1 ")
_SECOND_OF_LIST = re.compile(r"[\s(]2[.):、](?!\d)")
_HEADING = re.compile(r"\s*####")


@dataclass(frozen=True)
class _Line:
    """A line of a text, by its first character and the one after its last, and what it announces."""

    start: int
    end: int
    announced: Sequence[Announcement]


@dataclass(frozen=True)
class _Said:
    """The sentence behind an announcement, the rest of its line, and whether the response ends with the sentence."""

    sentence: str
    rest: str
    last: bool


@dataclass(frozen=True)
class _Found:
    """A number behind an announcement; `sure` if it follows at once, and not only somewhere in the sentence."""

    value: float
    sure: bool


def strict(text: str, asked: str) -> float | None:
    r"""The number that a response to a question in the language `asked` announces; else its last number.

    The last `\boxed{}` counts most. Otherwise the first line counts that announces a number, so what a model runs on
    with does not, and in that line the last announcement, so a correction does. Of lines in which the number does not
    follow its announcement at once ("the answer is what 5 friends pay") the first counts if there are no others.
    Thoughts before a `</think>` are left out. Takes time in proportion to the length of the text.
    """
    text = normalise(text.rpartition("</think>")[2]).strip()
    written = written_in(text, asked, SURE_PROBABILITY)
    lines = list(_lines(text, tuple(dict.fromkeys((asked, written, ENGLISH)))))
    likely = (written,) if written != UNCLEAR else _likely(text, lines, asked)
    mark = decimal_mark(text)
    whole = Reading(likely[0], mark or habit(*likely))
    if (number := _boxed(text, whole)) is not None:
        return number
    unsure: float | None = None
    for line in lines:
        if unsure is not None and NEXT_QUESTION.match(text, line.start, line.end):
            return unsure
        found = _in_line(text, line, mark, whole)
        if found is not None and found.sure:
            return found.value
        if found is not None and unsure is None:
            unsure = found.value
    if unsure is not None:
        return unsure
    numbers = find_numbers(text, whole)
    return numbers[-1].value if numbers else None


def _lines(text: str, languages: Sequence[str]) -> Iterator[_Line]:
    start = 0
    for line in text.splitlines(keepends=True):
        yield _Line(start, start + len(line), announcements(line, languages))
        start += len(line)


def _likely(text: str, lines: Sequence[_Line], asked: str) -> tuple[str, ...]:
    """The languages that a text too short to identify may be in: English too if nothing speaks against it."""
    codes = {announced.language for line in lines for announced in line.announced}
    if codes == {ENGLISH}:
        return (ENGLISH,)
    other_letters = any(char.isalpha() and not char.isascii() for char in text)
    return (asked,) if codes or other_letters else (asked, ENGLISH)


def _boxed(text: str, reading: Reading) -> float | None:
    r"""The first number in the last `\boxed{}` that holds one."""
    end = len(text)
    while (start := text.rfind(r"\boxed{", 0, end)) >= 0:
        inside, stop = start + len(r"\boxed{"), text.find("\n", start, end)
        # A word behind the box belongs to its number: \boxed{1.5} million.
        numbers = find_numbers(text[inside : stop if stop >= 0 else end], reading)
        if numbers:
            return numbers[0].value
        end = start
    return None


def _in_line(text: str, line: _Line, mark: DecimalMark | None, whole: Reading) -> _Found | None:
    """What the last announcement in a line that has a number announces; or the number behind ####."""
    stop = line.end
    for announced in reversed(line.announced):
        start = line.start + announced.end
        if start > stop:  # the same noun in two languages
            continue
        reading = Reading(announced.language, mark or habit(announced.language, whole.language))
        if (found := _announced(text, start, stop, announced, reading)) is not None:
            return found
        stop = line.start + announced.start
    heading = _HEADING.match(text, line.start, line.end)
    if heading is not None and not _FIRST_OF_LIST.match(text[heading.end() : line.end].lstrip()):
        numbers = find_numbers(text[heading.end() : line.end], whole)
        if numbers and _GAP.fullmatch(text, heading.end(), heading.end() + numbers[0].start):
            return _Found(numbers[0].value, True)
    return None


def _announced(text: str, start: int, stop: int, announced: Announcement, reading: Reading) -> _Found | None:
    """The answer in what follows its announcement, up to `stop` or in a later line; None if there is none."""
    said = _said(text, start, stop)
    numbers = find_numbers(said.sentence, reading) if said else []
    if said is None or not numbers:
        return None
    first = numbers[0]
    if _GAP.fullmatch(said.sentence, 0, first.start):
        in_list = _FIRST_OF_LIST.match(said.rest, first.start) and _SECOND_OF_LIST.search(said.rest, first.end)
        return None if in_list else _Found(_end_of_chain(said.sentence, numbers), not announced.preamble)
    # Without a copula only the end of a response says its answer in a sentence: it may be the beginning of a solution.
    if not announced.joined and not said.last:
        return None
    sum_at = said.sentence.rfind("=")
    results = [number.value for number in numbers if number.start > sum_at >= 0]
    if results:
        return _Found(results[0], False)
    return _Found(numbers[-1].value, False) if announced.joined else None


def _said(text: str, start: int, stop: int) -> _Said | None:
    """What an announcement is followed by; None if that is a list, or if the announcement is in a question."""
    between = _BETWEEN.match(text, start)
    assert between is not None
    begin = between.end()
    if "\n" in between[0]:
        if _FIRST_OF_LIST.match(text, begin):
            return None
        line_end = text.find("\n", begin)
        stop = line_end if line_end >= 0 else len(text)
    rest = text[begin:stop]
    end = SENTENCE_END.search(rest)
    if end is not None and end[0] in "?؟":
        return None
    sentence = rest[: end.start()] if end else rest
    return _Said(sentence, rest, begin + len(sentence) + 1 >= len(text))


def _end_of_chain(sentence: str, numbers: Sequence[Number]) -> float:
    """The first number, or what a calculation that starts with it comes to: 5 + 6 = 11."""
    chain = _CHAIN.match(sentence, numbers[0].start)
    if chain is not None:
        for number in numbers:
            if number.start >= chain.end():
                return number.value
    return numbers[0].value

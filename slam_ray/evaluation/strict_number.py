"""The strict extractor of a number: the one that a response announces as its answer, read as its language writes it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slam_ray.config import ENGLISH
from slam_ray.evaluation.announcements import ADVERBS, NEXT_QUESTION, SENTENCE_END, Announcement, announcements
from slam_ray.evaluation.characters import CURRENCY, normalise
from slam_ray.evaluation.decimal_marks import DecimalMark, decimal_mark, usual_decimal_mark
from slam_ray.evaluation.numbers import Notation, Number, find_numbers
from slam_ray.evaluation.response_language import SURE_PROBABILITY, UNCLEAR, response_language

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
    """A line of a text from `start` to before `end`, and its announcements."""

    start: int
    end: int
    announced: Sequence[Announcement]


@dataclass(frozen=True)
class _Sentence:
    """The sentence behind an announcement, the rest of its line, and whether the response ends with the sentence."""

    text: str
    rest: str
    last: bool


@dataclass(frozen=True)
class _Answer:
    """A number behind an announcement; `sure` if it follows directly, and not only somewhere in the sentence."""

    value: float
    sure: bool


def strict_number(text: str, question_language: str) -> float | None:
    r"""The number that a response to a question in `question_language` announces; else its last number.

    The last `\boxed{}` decides. Without one the first line that announces a number decides, not what a model goes on to
    write; and in that line the last announcement, which may be a correction. Lines in which the number does not follow
    its announcement directly ("the answer is what 5 friends pay") count only if there are no others. Thoughts before a
    `</think>` do not count. The time is linear in the length of the text.
    """
    text = normalise(text.rpartition("</think>")[2]).strip()
    written = response_language(text, question_language, SURE_PROBABILITY)
    lines = list(_lines(text, tuple(dict.fromkeys((question_language, written, ENGLISH)))))
    likely = (written,) if written != UNCLEAR else _likely(text, lines, question_language)
    mark = decimal_mark(text)
    whole = Notation(likely[0], mark or usual_decimal_mark(*likely))
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


def _likely(text: str, lines: Sequence[_Line], question_language: str) -> tuple[str, ...]:
    """Possible languages of a text too short to identify: that of the question, and English unless it is excluded."""
    codes = {announced.language for line in lines for announced in line.announced}
    if codes == {ENGLISH}:
        return (ENGLISH,)
    other_letters = any(char.isalpha() and not char.isascii() for char in text)
    return (question_language,) if codes or other_letters else (question_language, ENGLISH)


def _boxed(text: str, reading: Notation) -> float | None:
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


def _in_line(text: str, line: _Line, mark: DecimalMark | None, whole: Notation) -> _Answer | None:
    """The number of the last announcement in a line that has one; or the number behind ####."""
    stop = line.end
    for announced in reversed(line.announced):
        start = line.start + announced.end
        if start > stop:  # the same noun in two languages
            continue
        reading = Notation(announced.language, mark or usual_decimal_mark(announced.language, whole.language))
        if (found := _announced(text, start, stop, announced, reading)) is not None:
            return found
        stop = line.start + announced.start
    heading = _HEADING.match(text, line.start, line.end)
    if heading is not None and not _FIRST_OF_LIST.match(text[heading.end() : line.end].lstrip()):
        numbers = find_numbers(text[heading.end() : line.end], whole)
        if numbers and _GAP.fullmatch(text, heading.end(), heading.end() + numbers[0].start):
            return _Answer(numbers[0].value, True)
    return None


def _announced(text: str, start: int, stop: int, announced: Announcement, reading: Notation) -> _Answer | None:
    """The answer in what follows its announcement, up to `stop` or in a later line; None if there is none."""
    sentence = _sentence(text, start, stop)
    numbers = find_numbers(sentence.text, reading) if sentence else []
    if sentence is None or not numbers:
        return None
    first = numbers[0]
    if _GAP.fullmatch(sentence.text, 0, first.start):
        in_list = _FIRST_OF_LIST.match(sentence.rest, first.start) and _SECOND_OF_LIST.search(sentence.rest, first.end)
        return None if in_list else _Answer(_end_of_chain(sentence.text, numbers), not announced.preamble)
    # Without a copula the sentence may begin a solution; it gives the answer only if the response ends with it.
    if not announced.joined and not sentence.last:
        return None
    sum_at = sentence.text.rfind("=")
    results = [number.value for number in numbers if number.start > sum_at >= 0]
    if results:
        return _Answer(results[0], False)
    return _Answer(numbers[-1].value, False) if announced.joined else None


def _sentence(text: str, start: int, stop: int) -> _Sentence | None:
    """The sentence that follows an announcement; None if a list does, or if the announcement is in a question."""
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
    return _Sentence(sentence, rest, begin + len(sentence) + 1 >= len(text))


def _end_of_chain(sentence: str, numbers: Sequence[Number]) -> float:
    """The first number, or what a calculation that starts with it comes to: 5 + 6 = 11."""
    chain = _CHAIN.match(sentence, numbers[0].start)
    if chain is not None:
        for number in numbers:
            if number.start >= chain.end():
                return number.value
    return numbers[0].value

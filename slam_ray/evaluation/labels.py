"""The label of a choice in a response, as models write it: (B), B, **B**, "The answer is B.", B) bank, Option B.

The paper takes the last label in brackets. A label without brackets counts if there is none in brackets, or if the
response announces it: "The answer is B, because (A) is too far away."
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from string import ascii_uppercase
from typing import Literal

from slam_ray.config import ENGLISH
from slam_ray.evaluation.announcements import (
    ADVERBS,
    NEXT_QUESTION,
    SENTENCE_END,
    WORDINGS,
    Announcement,
    announcements,
)
from slam_ray.evaluation.characters import normalise
from slam_ray.evaluation.response_language import SURE_PROBABILITY, response_language

_CHOICE = re.compile(r"^\(([A-Z])\) (.*)$", re.MULTILINE)
_BRACKETED = re.compile(r"[(\[]\s*([A-Z])\s*[)\]]")
_BOXED = re.compile(r"\\boxed\{(?:\\(?:text|textbf|mathrm|mathbf)\{)?\s*([A-Z])(?!\w)")
# Alone in its line, or before the text of its choice: B) bank.
_ALONE = re.compile(r"[ \t\"'`_>#*]*+([A-Z])[ \t\"'`_*).:\]]*+(?:\n|$)")
_WITH_TEXT = re.compile(r"[ \t\"'`_>#*]*+([A-Z])[.):][ \t]+\S")
# No letter of a word may be beside it; Chinese, Japanese and Korean write no space.
_BEFORE, _BEHIND = r"(?<![a-zA-Z0-9\u00c0-\u024f'’(\[\\])", r"(?![a-zA-Z0-9\u00c0-\u024f'’])"
_GAP = rf"(?:\s|(?i:{ADVERBS})|[\"'«“{{~=,、:*_`$]|\\[(\[]|\\(?:text|textbf|mathrm|mathbf|boxed)\{{)*+"
_BARE = re.compile(rf"{_BEFORE}([A-Z]){_BEHIND}(?![)\]])")
# So many characters after its announcement in the line before, a label may follow.
_REACH = 200
# One-letter words of the languages that use these letters: articles, "and", "I", Polish prepositions.
_WORDS = frozenset("AEIOUWYZ")
_REASON = re.compile(r" (?:because|since|as|for)\b")


def choices_of(question: str) -> dict[str, str]:
    """Label -> text of the choices in a question that lays them out in lines: (A) bank."""
    return dict(_CHOICE.findall(question))


def label(
    text: str, question_language: str, position: Literal["last", "first"], choices: Mapping[str, str]
) -> str | None:
    """The last or the first label in a response to a question in `question_language`; None if it has none.

    A label is one of `choices`, or without choices any capital letter. The time is linear in the length of the text.
    """
    text = normalise(text.rpartition("</think>")[2])
    known = choices or dict.fromkeys(ascii_uppercase, "")
    languages = tuple(
        dict.fromkeys((question_language, response_language(text, question_language, SURE_PROBABILITY), ENGLISH))
    )
    announced = list(_announced(text, languages, known))
    bracketed = [found for found in _BRACKETED.findall(text) if found in known]
    kinds = (announced if None not in announced else [], bracketed, _in_lines(text, known))
    found = next((labels for labels in kinds if labels), None) or _described(text, languages, known)
    return found[-1 if position == "last" else 0] if found else None


def _announced(text: str, languages: Sequence[str], known: Mapping[str, str]) -> Iterator[str | None]:
    r"""The label of each announcement and each `\boxed{}`; None for one in brackets.

    Announcements of a further question, which a model may write after its answer, do not count.
    """
    first = next((match.start() for match in _BRACKETED.finditer(text) if match[1] in known), len(text))
    start, any_yet = 0, False
    for line in text.splitlines(keepends=True):
        if (any_yet or first < start) and NEXT_QUESTION.match(line):
            return
        found = [(box.start(), box[1]) for box in _BOXED.finditer(line) if box[1] in known]
        stop = len(line)
        for announced in reversed(announcements(line, languages)):
            if announced.end <= stop:
                labels = _announced_label(text, start, stop, announced, languages, known)
                found += [(announced.end, answer) for answer in labels]
                stop = announced.start
        for _, answer in sorted(found, key=lambda each: each[0]):
            any_yet = True
            yield answer
        start += len(line)


def _announced_label(
    text: str, line: int, stop: int, announced: Announcement, languages: Sequence[str], known: Mapping[str, str]
) -> list[str | None]:
    """The label, if any, that follows an announcement in the line that starts at `line`, or in the next line."""
    rest = text[line + announced.end : line + stop]
    if not rest.strip(" \n\r\t:*_`"):
        begin = line + stop
        rest = text[begin : begin + _REACH].lstrip("\n\r").partition("\n")[0] if rest.endswith("\n") else ""
    match = _at(languages).match(rest)
    if match is not None:
        if match["bracket"]:
            return [None] if match["label"] in known else []
        return [match["label"]] if _is_label(match, known, announced.joined) else []
    if not announced.joined:
        return []
    end = SENTENCE_END.search(rest)
    sentence = rest[: end.start()] if end else rest
    if any(found in known for found in _BRACKETED.findall(sentence)):
        return [None]
    # उत्तर B है: the label stands before what joins it on.
    wording = text[line + announced.start : line + announced.end]
    for part in (sentence, wording):
        labels = [found[1] for found in _BARE.finditer(part) if found[1] in known and _ends(found, part)]
        if labels:
            return [labels[-1]]
    return []


def _ends(found: re.Match[str], sentence: str) -> bool:
    """Whether a letter is no word of its sentence."""
    return found[1] not in _WORDS or not sentence[found.end() :].strip(" .,;:!\"'*_`$}")


def _is_label(match: re.Match[str], known: Mapping[str, str], joined: bool) -> bool:
    """Whether a capital behind an announcement is a label, and no word as in "Answer: A bookshop"."""
    letter, after = match["label"], match.string[match.end() :]
    if letter not in known:
        return False
    if match["option"] or not _may_be_word(letter, after):
        return True
    text = known[letter]
    return (joined and letter != "I") or (text != "" and after.strip().lower().startswith(text.lower()))


def _may_be_word(letter: str, after: str) -> bool:
    return letter in _WORDS and re.match(r"\s+\w", after) is not None and not _REASON.match(after)


def _in_lines(text: str, known: Mapping[str, str]) -> list[str]:
    """Labels that are a line, or begin one, unless the response only repeats the choices."""
    alone: list[str] = []
    found: list[str] = []
    for line in text.splitlines():
        if (match := _ALONE.match(line)) and match[1] in known:
            alone.append(match[1])
        elif (match := _WITH_TEXT.match(line)) and match[1] in known:
            found.append(match[1])
    laid_out = len(found) > 1 and found == sorted(known)[: len(found)]
    return alone or ([] if laid_out else found)


def _described(text: str, languages: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """Labels of sentences such as "I choose option B", "the right choice is B" and "B is correct"."""
    return [
        found
        for match in _option(languages).finditer(text)
        if (found := match["named"] or match["subject"]) in known
        and found != "I"
        and not (match["named"] and _may_be_word(found, text[match.end() : match.end() + _REACH]))
    ]


@cache
def _at(languages: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        rf"{_GAP}(?P<option>(?i:{_options(languages)})\s*:?\s*)?(?P<bracket>[(\[]\s*)?(?P<label>[A-Z]){_BEHIND}"
        r"(?(bracket)\s*[)\]])"
    )


@cache
def _option(languages: tuple[str, ...]) -> re.Pattern[str]:
    spaced = "|".join(WORDINGS[code].copulas for code in languages if code in WORDINGS and WORDINGS[code].words)
    any_copula = "|".join(WORDINGS[code].copulas for code in languages if code in WORDINGS)
    return re.compile(
        rf"(?i:{_options(languages)})(?:[^\n.!?:A-Z]{{0,30}}?(?:{any_copula})|\s*:)?\s*(?P<named>[A-Z]){_BEHIND}"
        rf"|(?:^|[\n.!?:。] ?)(?P<subject>[A-Z])\s+(?:{spaced})\b"
    )


def _options(languages: tuple[str, ...]) -> str:
    return "|".join(WORDINGS[code].options for code in languages if code in WORDINGS)

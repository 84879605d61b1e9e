"""Cleaning of translation pairs (section 4.1): which rule leaves which pair out, and how many each language loses.

The paper filters its pairs but does not say how; these rules are ours. A pair falls under the first that it breaks.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from pydantic import BaseModel

from slam_ray.config import CleaningConfig
from slam_ray.corpora.formats.layout import normalised
from slam_ray.corpora.languages import KNOWN, Languages
from slam_ray.corpora.lost_numbers import lost_numbers
from slam_ray.corpora.records import Pair
from slam_ray.terminal.table import aligned

EXAMPLES, EXAMPLE_CHARACTERS = 3, 160  # of each rule and language
CHARACTERS_OF_A_WORD = 3  # in a language without spaces, generously
FIRST_WORDS = 5  # in which most texts differ from their translations


@dataclass(frozen=True)
class Dropped:
    """A pair that was left out, and the rule that it broke."""

    rule: str
    pair: Pair


class DroppedExample(BaseModel):
    """A pair that was left out; its texts are cut for show."""

    id: str
    source: str
    english: str


class CleaningLoss(BaseModel):
    """What a rule left out in a language."""

    rule: str
    language: str
    pairs: int
    examples: list[DroppedExample]


def clean(
    pairs: Sequence[Pair], cleaning: CleaningConfig, languages: Languages = KNOWN
) -> tuple[list[Pair], list[Dropped]]:
    """Split pairs into those kept and those left out, both in their order."""
    length, most = cleaning.loop_words, cleaning.most_repeats
    # The English of a problem stands beside every language.
    repeats = cache(lambda english: _repeats(tuple(english.split()), length, most))
    criteria = {code: _Criteria(cleaning, languages, ratio, repeats) for code, ratio in _median_ratios(pairs).items()}
    rules = [(name, breaks) for name, breaks in RULES.items() if getattr(cleaning, name)]
    kept, dropped = [], []
    for pair in pairs:
        broken = next((name for name, breaks in rules if breaks(pair, criteria[pair.language])), None)
        if broken is None:
            kept.append(pair)
        else:
            dropped.append(Dropped(broken, pair))
    return kept, dropped


def cleaning_losses(dropped: Sequence[Dropped]) -> list[CleaningLoss]:
    """By rule and language, with a few examples each."""
    broken: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for drop in dropped:
        broken[drop.rule, drop.pair.language].append(drop.pair)
    codes = dict.fromkeys((*KNOWN, *sorted(language for _, language in broken)))
    return [
        CleaningLoss(
            rule=rule, language=language, pairs=len(pairs), examples=[_example(pair) for pair in pairs[:EXAMPLES]]
        )
        for rule in RULES
        for language, pairs in ((code, broken[rule, code]) for code in codes if (rule, code) in broken)
    ]


def cleaning_table(records: Mapping[str, int], losses: Sequence[CleaningLoss]) -> str:
    """Rules by languages in plain text, with an example of each cell, for a log.

    Args:
        records: pairs kept, by language.
        losses: what was left out.
    """
    counts = {(loss.rule, loss.language): loss.pairs for loss in losses}
    total = {code: kept + sum(loss.pairs for loss in losses if loss.language == code) for code, kept in records.items()}
    rows = [["left out", *records, "all"]]
    for rule in dict.fromkeys(loss.rule for loss in losses):
        numbers = [counts.get((rule, code), 0) for code in records]
        rows.append([rule.replace("_", " "), *map(str, numbers), str(sum(numbers))])
    shares = [*((records[code], total[code]) for code in records), (sum(records.values()), sum(total.values()))]
    rows.append(["kept, %", *(f"{100 * kept / of:.1f}" if of else "-" for kept, of in shares)])
    lines = aligned(rows)
    for loss in losses:
        example = loss.examples[0]
        lines.append(f"e.g. {loss.rule} {loss.language} {example.id}: {example.source!r} for {example.english!r}")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Criteria:
    """What the pairs of a language are measured by.

    Attributes:
        ratio: the median length of a source over its English.
        english_repeats: how often the most frequent run of words occurs in an English text, as `_repeats` counts.
    """

    cleaning: CleaningConfig
    languages: Languages
    ratio: float
    english_repeats: Callable[[str], int]


def _untranslated(pair: Pair, criteria: _Criteria) -> bool:
    # Most pairs differ in their first words, so that the rest is not normalised.
    words = zip_longest(_normalised_words(pair.source), _normalised_words(pair.english))
    return all(one == other for one, other in words)


def _normalised_words(text: str) -> Iterator[str]:
    """The words of the normalised text; no character is normalised together with what is beyond a space."""
    for part in text.split(" ", FIRST_WORDS):
        yield from normalised(part).split()


def _wrong_script(pair: Pair, criteria: _Criteria) -> bool:
    return criteria.languages.script_share(pair.language, pair.source) < criteria.cleaning.least_script_share


def _length_ratio(pair: Pair, criteria: _Criteria) -> bool:
    factor = len(pair.source) / len(pair.english) / criteria.ratio
    most = criteria.cleaning.most_length_factor
    return not 1 / most <= factor <= most


def _loops(pair: Pair, criteria: _Criteria) -> bool:
    length, most = criteria.cleaning.loop_words, criteria.cleaning.most_repeats
    if criteria.languages[pair.language].spaced:
        repeats = _repeats(tuple(pair.source.split()), length, most)
    else:
        repeats = _repeats(pair.source, length * CHARACTERS_OF_A_WORD, most)
    return max(repeats, criteria.english_repeats(pair.english)) > most


def _repeats(words: tuple[str, ...] | str, length: int, most: int) -> int:
    """How often the most frequent run of so many words (or characters) occurs; 0 if it is surely at most `most`."""
    if len(words) - len(set(words)) < most:
        return 0
    if max(Counter(words).values()) <= most:  # a run occurs at most as often as each of its words
        return 0
    runs = [words[start : start + length] for start in range(len(words) - length + 1)]
    if len(runs) - len(set(runs)) < most:
        return 0
    return max(Counter(runs).values())


def _lost_numbers(pair: Pair, criteria: _Criteria) -> bool:
    return lost_numbers(pair.source, pair.english) > criteria.cleaning.most_lost_numbers


# By the name of their switch in `CleaningConfig`, in the order in which they are criteria.
RULES: dict[str, Callable[[Pair, _Criteria], bool]] = {
    "untranslated": _untranslated,
    "wrong_script": _wrong_script,
    "length_ratio": _length_ratio,
    "loops": _loops,
    "lost_numbers": _lost_numbers,
}


def _median_ratios(pairs: Sequence[Pair]) -> dict[str, float]:
    ratios = defaultdict(list)
    for pair in pairs:
        ratios[pair.language].append(len(pair.source) / len(pair.english))
    return {language: statistics.median(values) for language, values in ratios.items()}


def _example(pair: Pair) -> DroppedExample:
    source, english = (
        text if len(text) <= EXAMPLE_CHARACTERS else text[:EXAMPLE_CHARACTERS] + "…"
        for text in (pair.source, pair.english)
    )
    return DroppedExample(id=pair.id, source=source, english=english)

"""The numbers in a text, however a language writes them in digits, and English ones also in words."""

import re

_DIGITS = r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,'’٫٬]\d+)*|(?<![\d.,])\.\d+"
_BETWEEN_GROUPS = re.compile(r"\D+")
_MAGNITUDES = {
    "k": 10**3, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9,
    "百": 10**2, "千": 10**3, "万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8,
}  # fmt: skip
_WRITTEN = re.compile(
    rf"({_DIGITS})(\s?[kK](?![^\W_])|\s(?:hundred|thousand|million|billion)|\s?[百千万萬億亿]+)?", re.IGNORECASE
)
_SPELLED = {
    0: "zero", 1: "one first january a an each every per another once single",
    2: "two second february half halve twice double doubled couple pair both",
    3: "three third march thrice triple tripled", 4: "four fourth april quarter", 5: "five fifth may",
    6: "six sixth june", 7: "seven seventh july", 8: "eight eighth august", 9: "nine ninth september",
    10: "ten tenth october", 11: "eleven eleventh november", 12: "twelve twelfth december dozen noon midnight",
    13: "thirteen", 14: "fourteen", 15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen", 19: "nineteen",
    20: "twenty score", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety",
}  # fmt: skip
_WORDS = {word: float(value) for value, words in _SPELLED.items() for word in words.split()}
Readings = tuple[float, float]


def lost_numbers(text: str, english: str) -> int:
    """How many numbers written in digits on either side are missing on the other.

    An English number may stand in words for one in digits. Words of other languages are not read, so a number that a
    translation spells out counts as lost.
    """
    if _groups(text) == _groups(english):
        return 0
    numbers, english_numbers = _written(text), _written(english)
    values = {value for readings in numbers for value in readings}
    english_values = {value for readings in english_numbers for value in readings}
    unmatched = [number for number in numbers if english_values.isdisjoint(number)]
    if unmatched:
        spelled = _spelled(english)
        unmatched = [number for number in unmatched if spelled.isdisjoint(number)]
    return len(unmatched) + sum(values.isdisjoint(number) for number in english_numbers)


def _groups(text: str) -> set[str]:
    """The groups of digits in a text. To split it at what is between them is twice as fast as to search for them."""
    return set(_BETWEEN_GROUPS.split(text)) - {""}


def _written(text: str) -> set[Readings]:
    """Each number in digits as the values it may have: "3 million" is 3000000 in Chinese and 3 in French digits."""
    numbers = set()
    for digits, magnitude in _WRITTEN.findall(text):
        value = _value(digits)
        scaled = value
        word = magnitude.strip().lower()
        for unit in [word] if word in _MAGNITUDES else word:
            scaled *= _MAGNITUDES[unit]
        numbers.add((value, round(scaled, 6)))
    return numbers


def _value(digits: str) -> float:
    """A group of three digits after a separator is taken for thousands in every language, else for decimals."""
    groups = re.split(r"\D", digits)
    if len(groups) > 1 and (len(groups[-1]) != 3 or float(groups[0] or 0) == 0):
        return float(f"{''.join(groups[:-1])}.{groups[-1]}")
    return float("".join(groups))


def _spelled(english: str) -> set[float]:
    """The values of number words, and of what they make together ("two hundred and five": 2, 200, 205, 5)."""
    values: set[float] = set()
    running = 0.0
    for word in re.findall(r"[a-z]+", english.lower()):
        if (small := _WORDS.get(word, _WORDS.get(word.removesuffix("s")))) is not None:
            goes_on = running % 100 == 0 or (running % 10 == 0 and running % 100 > 10 and small < 10)
            running = running + small if goes_on else small
            values |= {small, running}
        elif word in _MAGNITUDES:
            running = (running or 1.0) * _MAGNITUDES[word]
            values.add(running)
        elif word != "and":
            running = 0.0
    return values

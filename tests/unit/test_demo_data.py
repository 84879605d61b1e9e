"""The demo's problems say the same in every language, and no dev or test problem is in the training data."""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from slam_ray.demo.make_data import DATA, write

SCRIPTS = {
    "bn": {"BENGALI"}, "th": {"THAI"}, "sw": {"LATIN"}, "zh": {"CJK"}, "de": {"LATIN"}, "fr": {"LATIN"},
    "ja": {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "CJK"}, "ru": {"CYRILLIC"}, "es": {"LATIN"}, "en": {"LATIN"},
}  # fmt: skip
GAINS = ("buys", "finds", "gets")
LOSSES = ("gives", "sells", "loses", "eats")


def records(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def signature(english: str) -> tuple[str, tuple[int, ...]]:
    """Structure and numbers of an English question or solution, read off its words alone."""
    told = re.sub(r": [\d+*/=-]+|The answer is \d+\.|Together\b", "", english)
    signs = "".join("+" if word in GAINS else "-" for word in re.findall(r"\w+", told) if word in GAINS + LOSSES)
    if " more " in told or " fewer " in told:
        signs += "+ both" if " more " in told else "- both"
    if "in each" in told:
        signs = "*" + signs
    if "equally" in told:
        signs += "/"
    return signs, tuple(numbers(told))


def computed(english: str) -> int:
    signs, (first, *rest) = signature(english)
    if signs.endswith("both"):
        return first + (first + rest[0] if signs[0] == "+" else first - rest[0])
    value = first
    for sign, number in zip(signs, rest, strict=True):
        if sign == "/":
            assert value % number == 0
        value = {"+": value + number, "-": value - number, "*": value * number, "/": value // number}[sign]
        assert 0 < value <= 60
    return value


def test_the_shipped_files_are_what_make_data_writes(tmp_path: Path) -> None:
    write(tmp_path)
    for name in ("questions", "pairs", "dev", "test"):
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (DATA / f"{name}.jsonl").read_bytes(), name


def test_sizes_are_even_over_languages_and_kinds() -> None:
    for name, problems in {"questions": 500, "dev": 100, "test": 250}.items():
        assert Counter(record["language"] for record in records(name)) == dict.fromkeys(SCRIPTS, problems)
    pairs = Counter((record["language"], record["kind"]) for record in records("pairs"))
    assert sum(pairs.values()) == 12_000
    for language in SCRIPTS.keys() - {"en"}:
        answers, questions = pairs[language, "answer"], pairs[language, "question"]
        assert abs(answers + questions - 12_000 / 9) < 1
        assert abs(answers / (answers + questions) - 0.4) < 0.01


@pytest.mark.parametrize("name", ["dev", "test"])
def test_answers_follow_from_the_english_words(name: str) -> None:
    for record in records(name):
        if record["language"] == "en":
            assert computed(record["question"]) == record["answer"], record


def test_no_dev_or_test_problem_is_in_the_training_data() -> None:
    train = {signature(record["question"]) for record in records("questions") if record["language"] == "en"}
    train |= {signature(record["english"]) for record in records("pairs")}
    dev, test = (
        {signature(record["question"]) for record in records(name) if record["language"] == "en"}
        for name in ("dev", "test")
    )
    assert (len(dev), len(test)) == (100, 250)
    assert train.isdisjoint(dev)
    assert train.isdisjoint(test)
    assert dev.isdisjoint(test)


@pytest.mark.parametrize("name", ["questions", "dev", "test"])
def test_a_problem_has_the_same_numbers_in_every_language(name: str) -> None:
    found = defaultdict(set)
    for record in records(name):
        found[record["id"]].add(tuple(sorted(numbers(record["question"]))))
    assert all(len(variants) == 1 for variants in found.values())


def test_the_sums_of_an_answer_are_right_and_the_same_on_both_sides() -> None:
    sums = re.compile(r"(\d+)([+*/-])(\d+)=(\d+)")
    for record in records("pairs"):
        source, english = sums.findall(record["source"]), sums.findall(record["english"])
        assert source == english
        assert len(english) == (2 if record["kind"] == "answer" else 0)
        for left, sign, right, result in english:
            a, b, c = int(left), int(right), int(result)
            assert {"+": a + b == c, "-": a - b == c, "*": a * b == c, "/": a == b * c}[sign], record
        if record["kind"] == "answer":
            assert numbers(record["english"])[-1] == int(english[-1][3]) == numbers(record["source"])[-1]


def test_every_language_keeps_to_its_script_and_to_normal_form() -> None:
    texts = [(record["language"], record["question"]) for record in records("questions")]
    texts += [(record["language"], record["source"]) for record in records("pairs")]
    for language, text in texts:
        letters = {unicodedata.name(letter).split()[0] for letter in text if letter.isalpha()}
        assert letters <= SCRIPTS[language], text
        assert unicodedata.is_normalized("NFC", text), text
        assert "  " not in text
        assert "|" not in text
        assert "{" not in text


def test_different_problems_read_differently_in_every_language() -> None:
    questions = defaultdict(set)
    for record in records("questions"):
        questions[record["language"]].add(record["question"])
    assert all(len(texts) == 500 for texts in questions.values())

"""Gold answers as texts: what a comma and a point mean, by the figure, by its column, or not at all."""

from decimal import Decimal
from typing import Any

import pytest

from slam_ray.config import InputError
from slam_ray.corpora.numerals import Gold, gold_numbers


def read(column: str, **others: str) -> list[float]:
    """The numbers of a column: `column` in German, others by their language; figures are separated by "; "."""
    golds = [Gold(text, "de", f"b.csv:{line}: answer") for line, text in enumerate(column.split("; "), start=2)]
    for language, texts in others.items():
        golds += [Gold(text, language, f"b.csv:{line}: answer") for line, text in enumerate(texts.split("; "), 20)]
    return gold_numbers(golds)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2,5", 2.5), ("0,75", 0.75), (",5", 0.5), ("12,3456", 12.3456), ("1234,567", 1234.567), ("0,125", 0.125),
        ("1.234,5", 1234.5), ("1.234.567,89", 1234567.89), ("1.234.567", 1234567), ("1 234,5", 1234.5), ("-2,5", -2.5),
        ("2.5", 2.5), ("8.0", 8), (".5", 0.5), ("1,234.5", 1234.5), ("1,234,567", 1234567), ("1,23,456", 123456),
        ("12,34,567.5", 1234567.5), ("1'234'567.5", 1234567.5), ("1’234", 1234), ("1234.567", 1234.567),
        ("18", 18), ("+18", 18), (" 18 ", 18), ("18.", 18), ("−3", -3), ("1\u202f234\u202f567", 1234567), ("1e3", 1000),
        ("1.5e-1", 0.15), ("१८", 18), ("１，２３４．５", 1234.5), ("\ufeff18", 18), ("\u200f18\u200e", 18),
        ("2+3 = <<2+3=5>>5\n#### 5", 5), ("#### 12,5", 12.5),
    ],
)  # fmt: skip
def test_a_figure_that_leaves_nothing_open(text: str, value: float) -> None:
    assert gold_numbers([Gold(text, language, "x") for language in ("de", "en")]) == [value, value]


@pytest.mark.parametrize("value", [5, 5.25, Decimal("5.25"), 10**15])
def test_a_number_stays_as_it_is(value: Any) -> None:
    assert gold_numbers([Gold(value, "de", "x"), Gold("2,5", "de", "x")]) == [float(value), 2.5]


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "five", "12,34,5", "1,2.3.4", "1.2.3", "1,2345,678", "5,", ",", "-", "--5", "1_000", "0x10", "5 €",
        "25%", "3 4", "1 2345", "5²", "½", "1/2", "nan", "inf", "Infinity", "true", "9" * 400, "1e999", "#### ",
        "١٬٢٣٤", True, None, [5], {"value": 5}, float("nan"), float("inf"), 10**400,
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"^b\.jsonl:7: answer must be a number, got "):
        gold_numbers([Gold(value, "de", "b.jsonl:7: answer")])


@pytest.mark.parametrize(
    ("german", "others", "values"),
    [
        # The English grouping of GSM8K and MGSM, in every language, where nothing says otherwise.
        ("5,600; 18", {}, [5600, 18]),
        ("5,600", {"en": "5,600"}, [5600, 5600]),
        ("18", {"en": "1.234; 5,600"}, [18, 1.234, 5600]),
        # Other values of the language decide, whatever their place.
        ("1,234; 2,5", {}, [1.234, 2.5]),
        ("0,75; 1.234", {}, [0.75, 1234]),
        ("1.234; 1.234.567", {}, [1234, 1234567]),
        ("1.234; 2.5", {}, [1.234, 2.5]),
        ("1,234; 8.0", {}, [1234, 8]),
        ("-1.234; 1 234,5", {}, [-1234, 1234.5]),
        # Each language of a column in its own way.
        ("1.234; 2,5", {"en": "1.234; 2.5"}, [1234, 2.5, 1.234, 2.5]),
        ("2,5", {"en": "2.5", "sw": "5,600"}, [2.5, 2.5, 5600]),
        # Where a language says nothing, the others do.
        ("2,5", {"fr": "1,234"}, [2.5, 1.234]),
        ("1.234", {"en": "2.5"}, [1.234, 2.5]),
        ("5,600", {"en": "8.0"}, [5600, 8]),
    ],
)
def test_the_column_decides(german: str, others: dict[str, str], values: list[float]) -> None:
    assert read(german, **others) == values


@pytest.mark.parametrize(
    ("german", "others", "said"),
    [
        ("18; 1.234", {}, "b.csv:3: answer: 1.234 may be 1234 or 1.234: 'de' writes decimals with a comma"),
        ("-1.250", {}, "write -1250, or -1.2500"),
        ("2,5; 2.5; 1,234", {}, "b.csv:4: answer: 1,234 may be 1234 or 1.234: the column holds '2.5' as well as '2,5'"),
        ("2,5", {"en": "1,234"}, "b.csv:20: answer: 1,234 may be 1234 or 1.234: the column holds '2,5', but 'en'"),
        ("2,5", {"en": "2.5", "fr": "1.234"}, "b.csv:20: answer: 1.234 may be"),
    ],
)
def test_what_stays_open_is_refused_with_its_line(german: str, others: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(german, **others)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["1234", "1.2340", "1,2340"])
def test_what_a_refusal_tells_to_write_is_read(text: str) -> None:
    assert read(text) == [1234 if text == "1234" else 1.234]

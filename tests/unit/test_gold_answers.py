"""Gold answers as texts: what a comma and a point mean, by the figure, by its column, or not at all."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from slam_ray.config import InputError
from slam_ray.corpora.gold_answers import Gold, gold_numbers
from tests.corpora import cases

CASES = cases("gold_answers")


def read(column: Mapping[str, str]) -> list[float]:
    """The numbers of a column, whose German rows come first."""
    golds = []
    for language, texts in column.items():
        for line, text in enumerate(texts.split("; "), start=2 if language == "de" else 20):
            golds.append(Gold(text, language, f"b.csv:{line}: answer"))
    return gold_numbers(golds)


@pytest.mark.parametrize(("text", "value"), CASES["certain"])
def test_a_figure_that_leaves_nothing_open(text: str, value: float) -> None:
    assert gold_numbers([Gold(text, language, "x") for language in ("de", "en")]) == [value, value]


@pytest.mark.parametrize("value", [5, 5.25, Decimal("5.25"), 10**15])
def test_a_number_stays_as_it_is(value: Any) -> None:
    assert gold_numbers([Gold(value, "de", "x"), Gold("2,5", "de", "x")]) == [float(value), 2.5]


@pytest.mark.parametrize("value", [*CASES["refused"], "9" * 400, 10**400], ids=lambda value: repr(value)[:20])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"^b\.jsonl:7: answer must be a number, got "):
        gold_numbers([Gold(value, "de", "b.jsonl:7: answer")])


@pytest.mark.parametrize("case", CASES["columns"], ids=str)
def test_the_column_decides(case: dict[str, Any]) -> None:
    assert read({language: texts for language, texts in case.items() if language != "numbers"}) == case["numbers"]


@pytest.mark.parametrize("case", CASES["open"], ids=str)
def test_what_stays_open_is_refused_with_its_line(case: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        read({language: texts for language, texts in case.items() if language != "said"})
    assert case["said"] in str(caught.value)

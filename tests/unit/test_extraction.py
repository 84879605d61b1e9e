"""Both extractors over all known languages: tables written by hand, and numbers written by rule and read back.

The tables are `responses.jsonl`, `labels.jsonl` and `cases/last_numbers.yaml` in `tests/fixtures`.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slam_ray.corpora.gold_answers import DECIMAL_COMMA
from slam_ray.corpora.languages import LANGUAGES
from slam_ray.evaluation.announcements import WORDINGS
from slam_ray.evaluation.extraction import extract, extractors_for, is_correct, last_number
from slam_ray.evaluation.strict_number import strict_number
from tests.corpora import cases
from tests.published import FIXTURES

CHOICES = {"A": "bank", "B": "shop", "C": "library", "D": "park", "E": "school"}


def table(name: str) -> list[dict[str, Any]]:
    lines = (FIXTURES / name).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


RESPONSES, LABELS = table("responses.jsonl"), table("labels.jsonl")


@pytest.mark.parametrize("row", RESPONSES, ids=lambda row: f"{row['shows']}: {row['language']}")
def test_strict(row: dict[str, Any]) -> None:
    found, value = strict_number(row["response"], row["language"]), row["value"]
    assert found == (None if value is None else pytest.approx(float(value))), row["response"]


def test_the_table_has_every_language_and_no_response_twice() -> None:
    assert {row["language"] for row in RESPONSES} == set(LANGUAGES)
    keys = [(row["language"], row["response"]) for row in RESPONSES]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("response", "number"), cases("last_numbers"))
def test_last_number_with_its_faults(response: str, number: float | None) -> None:
    assert last_number(response) == number


def test_no_number_is_wrong_also_where_the_gold_answer_is_zero() -> None:
    assert not is_correct(None, 0.0)
    assert is_correct(0.0004, 0.0)
    assert not is_correct(0.001, 0.0)


def test_every_known_language_has_its_wording() -> None:
    assert WORDINGS.keys() == LANGUAGES.keys()


SENTENCES = {
    "bn": "উত্তর হল {}।", "de": "Die Antwort lautet {}.", "en": "The answer is {}.", "es": "La respuesta es {}.",
    "fr": "La réponse est {}.", "ja": "答えは{}です。", "ru": "Ответ — {}.", "sw": "Jibu ni {}.",
    "th": "คำตอบคือ {}", "zh": "答案是{}。",
}  # fmt: skip
GROUPING = {"de": ".", "es": ".", "fr": "\u202f", "ru": "\u00a0"}
NATIVE_DIGITS = {"bn": "০১২৩৪৫৬৭৮৯", "th": "๐๑๒๓๔๕๖๗๘๙", "ja": "０１２３４５６７８９", "zh": "０１２３４５６７８９"}


def written(language: str, cents: int, grouped: bool, native: bool) -> str:
    """A number of hundredths as the language writes it; without decimals if it has none."""
    whole, decimals = divmod(abs(cents), 100)
    text = f"{whole:,}".replace(",", GROUPING.get(language, ",") if grouped else "")
    if decimals:
        text += ("," if language in DECIMAL_COMMA else ".") + f"{decimals:02d}"
    if native and language in NATIVE_DIGITS:
        text = text.translate({ord(str(digit)): native for digit, native in enumerate(NATIVE_DIGITS[language])})
    return ("-" if cents < 0 else "") + text


@given(
    language=st.sampled_from(sorted(SENTENCES)),
    cents=st.one_of(st.integers(-(10**6), 10**6), st.integers(-(10**8), 10**8).map(lambda whole: 100 * whole)),
    grouped=st.booleans(),
    native=st.booleans(),
    announced=st.booleans(),
)
def test_a_number_written_in_a_locale_is_read_back(
    language: str, cents: int, grouped: bool, native: bool, announced: bool
) -> None:
    number = written(language, cents, grouped, native)
    text = SENTENCES[language].format(number) + "\n3" if announced else f"… = {number}"
    assert strict_number(text, language) == pytest.approx(cents / 100)


@pytest.mark.parametrize("row", LABELS, ids=lambda row: f"{row['shows']}: {row['language']}")
def test_the_label_of_a_choice_is_the_last_or_the_first(row: dict[str, Any]) -> None:
    found = [extract(row["response"], row["language"], name, CHOICES) for name in extractors_for("A", "last")]
    assert found == [row["last"], row["first"]], row["response"]


def test_without_choices_any_capital_may_be_the_label() -> None:
    assert extract("The answer is F.", "en", "last-label") == "F"
    assert extract("The answer is I think a library.", "en", "last-label") is None


def test_a_language_without_a_wording_of_ours_is_read_too() -> None:
    """Twi, which the identifier does not know, and Turkish, which it does and which writes decimals with a comma."""
    assert strict_number("The answer is 1,250.", "tw") == 1250
    assert strict_number("Bu kutunun ağırlığı tam olarak 1,125 kilogram olarak ölçüldü.", "tr") == 1.125
    assert strict_number("Toplam 1.250 bilet satıldı ve gelirin tamamı okula verildi.", "tr") == 1250


def test_what_is_written_in_two_ways_is_a_thousand() -> None:
    """A text in one language that announces its answer in another: three decimals are rare."""
    text = "Mia first sold the tickets at the door and then the rest of them. La respuesta es {}."
    assert strict_number(text.format("1.250"), "es") == strict_number(text.format("1,250"), "es") == 1250


def test_a_label_is_right_only_if_it_is_the_same() -> None:
    assert is_correct("B", "B")
    assert not is_correct("A", "B")
    assert not is_correct(None, "B")
    assert extractors_for("B", "last") == ("last-label", "first-label")
    assert extractors_for("B", "first") == ("first-label", "last-label")
    assert extractors_for(18.0, "first") == ("last-number", "strict")

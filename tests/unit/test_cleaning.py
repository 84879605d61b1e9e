"""Cleaning: each rule on its own switch, what is written of it, and the facts of the published pairs."""

import pytest

from slam_ray.config import CleaningConfig, SourceConfig
from slam_ray.corpora import Pair
from slam_ray.corpora.cleaning import RULES, clean, cleaning_losses, cleaning_table
from slam_ray.corpora.lost_numbers import lost_numbers
from tests.corpora import cases, records
from tests.published import PUBLISHED, needs_published

ENGLISH = "Asha sells 4 mats for $7 each and 1,200 bowls."
BROKEN = {
    "untranslated": Pair("u", "sw", "question", " asha sells 4 mats for $7 each and 1,200  bowls.", ENGLISH),
    "wrong_script": Pair("w", "zh", "question", "Asha verkauft 4 Matten für $7 und 1,200 Schalen.", ENGLISH),
    "length_ratio": Pair("r", "sw", "question", "Asha 4 7 1,200", ENGLISH),
    "loops": Pair("l", "sw", "question", "Asha anauza " + "na anauza mikeka 4 " * 12 + "$7 1,200.", ENGLISH * 6),
    "lost_numbers": Pair("n", "sw", "question", "Asha anauza mikeka 4 kwa $7 kila moja na mabakuli 12.", ENGLISH),
}
GOOD = [
    Pair(str(number), language, "question", text, ENGLISH)
    for number in range(9)
    for language, text in (
        ("sw", "Asha anauza mikeka 4 kwa $7 kila mmoja na mabakuli 1,200."),
        ("zh", "Asha以每张7美元的价格卖了4张垫子和1200个碗。"),
    )
]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_takes_what_breaks_it_alone_and_only_if_it_is_on(rule: str) -> None:
    pairs = [*GOOD, BROKEN[rule]]
    kept, dropped = clean(pairs, CleaningConfig())
    assert kept == GOOD
    assert [(drop.rule, drop.pair) for drop in dropped] == [(rule, BROKEN[rule])]
    off = {name: False for name in RULES if name == rule}
    assert clean(pairs, CleaningConfig(**off)) == (pairs, [])


def test_thresholds_are_settings() -> None:
    pairs = [*GOOD, *BROKEN.values()]
    lax = CleaningConfig(
        untranslated=False, least_script_share=0, most_length_factor=99, most_repeats=99, most_lost_numbers=2
    )
    assert clean(pairs, lax) == (pairs, [])


def test_an_answer_without_letters_and_a_foreign_name_are_in_the_script() -> None:
    pairs = [
        Pair("1", "zh", "answer", "4 * 7 = 28 #### 28", "= 4 * 7 = 28 #### 28"),
        Pair("2", "zh", "question", "Ittymangnark和Kingnook有2只猫吗？", "Do Ittymangnark and Kingnook have 2 cats?"),
    ]
    assert clean(pairs, CleaningConfig())[0] == pairs


@pytest.mark.parametrize(
    ("source", "copied"),
    [
        ("\u200b Asha  SELLS\u00a04\nmats for\u3000\uff17 \u00ad pounds each\u2009day", True),
        ("Asha sells 4 mats for 7 pounds each", False),
        ("Asha sells 4 mats for 7 pounds each day now", False),
        ("Asha sells 4 mats for 7 pounds each d\u0301ay", False),
    ],
    ids=["spaces, case and width", "shorter", "longer", "another mark"],
)
def test_a_copy_is_one_whatever_its_spaces_case_and_width(source: str, copied: bool) -> None:
    pair = Pair("1", "sw", "question", source, "Asha sells 4 mats for 7 pounds each day")
    dropped = clean([pair], CleaningConfig(length_ratio=False, lost_numbers=False))[1]
    assert [drop.rule for drop in dropped] == ["untranslated"] * copied


def test_loops_are_found_without_spaces() -> None:
    loop = Pair("1", "ja", "question", "猫は" + "とても大きな白い犬と一緒に" * 15, "The cat " * 15)
    assert [drop.rule for drop in clean([loop], CleaningConfig(length_ratio=False))[1]] == ["loops"]


@pytest.mark.parametrize(("text", "english", "lost"), cases("lost_numbers"))
def test_lost_numbers(text: str, english: str, lost: int) -> None:
    assert lost_numbers(text, english) == lost


def test_the_table_says_what_each_language_lost() -> None:
    _, dropped = clean([*GOOD, *BROKEN.values()], CleaningConfig())
    losses = cleaning_losses(dropped)
    assert {(loss.rule, loss.language): loss.pairs for loss in losses} == {
        (rule, pair.language): 1 for rule, pair in BROKEN.items()
    }
    loop = next(loss for loss in losses if loss.rule == "loops").examples[0]
    assert len(loop.source) <= 161 < len(BROKEN["loops"].source)
    text = cleaning_table({"sw": 9, "zh": 9}, losses)
    assert [line.split() for line in text.splitlines()[:3]] == [
        ["left", "out", "sw", "zh", "all"],
        ["untranslated", "1", "0", "1"],
        ["wrong", "script", "0", "1", "1"],
    ]
    assert ["kept,", "%", "69.2", "90.0", "78.3"] in [line.split() for line in text.splitlines()]
    assert "e.g. lost_numbers sw n: 'Asha anauza mikeka 4" in text


@needs_published
def test_published_pairs_lose_what_is_known_to_be_wrong_and_little_else() -> None:
    qalign = SourceConfig(path=str(PUBLISHED / "gsm8kinstruct_qalign"), format="qalign")
    pairs = records(qalign, Pair)
    kept, dropped = clean(pairs, CleaningConfig())
    assert len(pairs) == 52_054
    assert 0.90 <= len(kept) / len(pairs) <= 0.95
    same = {pair.id + pair.language: pair.language for pair in pairs if pair.source == pair.english}
    assert {code: list(same.values()).count(code) for code in same.values()} == {
        "fr": 377, "es": 64, "de": 53, "zh": 29, "sw": 11
    }  # fmt: skip
    assert not same.keys() & {pair.id + pair.language for pair in kept}
    assert all(any("一" <= letter <= "鿿" for letter in pair.source) for pair in kept if pair.language == "zh")
    assert max(len(pair.source) for pair in kept) < 2_000
    assert sum(len(drop.pair.source) == 14_027 and drop.pair.language == "sw" for drop in dropped) == 1
    by_rule = {rule: sum(drop.rule == rule for drop in dropped) for rule in RULES}
    assert by_rule["lost_numbers"] / len(pairs) < 0.05
    loops = [drop for drop in dropped if drop.rule in ("loops", "length_ratio")]
    assert any(len(drop.pair.source) == 14_027 for drop in loops)

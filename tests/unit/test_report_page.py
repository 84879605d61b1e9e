"""The page: safe whatever the data holds, whole in one file, and honest in its words."""

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest

from slam_ray.activations import StatesResult
from slam_ray.evaluation import EnglishLoss
from slam_ray.evaluation.accuracy import score
from slam_ray.evaluation.comparison import AverageChange, CompareConfig, Comparison, compare
from slam_ray.reporting.findings import BenchmarkFindings, StateMap, StepRecord
from slam_ray.reporting.page import report_page
from slam_ray.reporting.table import accuracy_table
from tests.unit.test_report import BEFORE, LANGUAGES, answers, benchmark, findings, selection


class Page(HTMLParser):
    """Tags with their attributes, and the text outside style and pre."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


VERDICTS = r"rises significantly|does not change significantly|falls significantly"
HOSTILE = "<script>alert('$x$')</script>"


def renamed(name: str) -> BenchmarkFindings:
    """A benchmark of this name in one language of this name."""
    marks = [replace(mark, language=name) for mark in answers(BEFORE, ("sw",))]
    scores = score(marks, [name], {name: 0.0}, {name: {name: 100.0}})
    return BenchmarkFindings(name, scores, scores, compare(marks, marks, [name], CompareConfig(samples=10)))


def changed(low: float, high: float) -> BenchmarkFindings:
    """The benchmark with another interval of the headline."""
    original = benchmark()
    extractors = {
        name: found.model_copy(update={"avg_non_en": AverageChange(difference=(low + high) / 2, low=low, high=high)})
        for name, found in original.comparison.extractors.items()
    }
    return replace(original, comparison=Comparison(extractors=extractors))


@cache
def plain_page() -> str:
    return report_page(findings())


@cache
def page_of_two() -> str:
    return report_page(findings(benchmarks=(benchmark(), benchmark("second", LANGUAGES[:-1]))))


def test_page_refers_to_nothing_outside_itself() -> None:
    html = page_of_two()
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "base", "a"} & {tag for tag, _ in page.tags}
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    referred = [value for _, attributes in page.tags for key, value in attributes.items() if key.endswith("href")]
    referred += re.findall(r"url\(([^)]*)\)", html)
    assert referred
    assert {str(target).removeprefix("#") for target in referred} <= set(map(str, ids))
    assert all(str(target).startswith("#") for target in referred)
    assert "@import" not in html
    policies = [attributes for tag, attributes in page.tags if tag == "meta" and "http-equiv" in attributes]
    assert policies == [
        {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"}
    ]


def test_everything_from_data_is_escaped() -> None:
    hostile = findings(
        run=HOSTILE,
        model=HOSTILE,
        made=HOSTILE,
        selection=selection(share={f"{HOSTILE}{place}": row for place, row in enumerate(selection().share.values())}),
        benchmarks=(renamed(HOSTILE),),
        steps=(StepRecord(HOSTILE, HOSTILE, HOSTILE, 1.0, {HOSTILE: HOSTILE}),),
        versions={HOSTILE: HOSTILE},
    )
    html = report_page(hostile)
    assert "<script" not in html
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(HOSTILE) >= 20


def test_every_picture_says_what_it_shows() -> None:
    page = Page(plain_page())
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) == 5
    assert all(picture["role"] == "img" for picture in pictures)
    said = [str(picture["aria-label"]) for picture in pictures]
    assert sum("marked: layers 0 and 2 of 8 (counted from 0), chosen by the rule" in text for text in said) == 2
    assert any("sw 14.5 to 41.0" in text for text in said)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (5.1, 7.7, "rises significantly"),
        (1e-15, 12.8, "does not change significantly"),
        (-1.4, 1.0, "does not change significantly"),
        (-4.0, -2.0, "falls significantly"),
    ],
)
def test_a_change_is_significant_only_if_its_interval_leaves_out_zero(low: float, high: float, said: str) -> None:
    table = accuracy_table(findings(benchmarks=(changed(low, high),)))
    assert re.findall(VERDICTS, table) == [said]


def test_page_claims_a_change_only_if_it_is_significant() -> None:
    assert set(re.findall(VERDICTS, Page(plain_page()).text)) == {"rises significantly"}
    text = Page(report_page(findings(benchmarks=(changed(-1.4, 1.0),)))).text
    assert set(re.findall(VERDICTS, text)) == {"does not change significantly"}
    assert "which includes 0" in text
    assert "which includes 0" not in plain_page()


def test_a_smoke_run_is_marked_and_only_that() -> None:
    mark = "smoke run on the first 50 questions"
    smoke = findings(limit=50)
    assert mark in Page(report_page(smoke)).text.lower()
    assert mark in accuracy_table(smoke).lower()
    assert "smoke run" not in Page(plain_page()).text.lower()
    assert "smoke run" not in accuracy_table(findings()).lower()


def test_pcr_is_a_dash_without_english() -> None:
    cells = re.findall(r"<td>([^<]*)</td>", page_of_two())
    assert cells.count("\N{EN DASH}") == 2 * 9


def test_page_says_how_many_responses_had_no_answer() -> None:
    html = plain_page()
    assert '<th colspan="2" scope="colgroup">no answer</th>' in html
    rows = [
        re.findall("<td[ >]", row) for row in re.findall(r'<tr><th scope="row">(?:bn|en)\b.*?</tr>', html, re.DOTALL)
    ]
    assert [len(cells) for cells in rows[:2]] == [14, 14]
    assert "<td>1.0</td><td>1.0</td>\n<td>1.5</td>" in html


def test_page_says_which_layers_were_tuned_and_who_chose_them() -> None:
    ruled = Page(plain_page()).text
    assert "Tuned: layers 0 and 2 of 8 (counted from 0), chosen by the rule. The language-specific" in ruled
    assert "the rule selects layer 0 in 100 %, layer 1 in 40 % of them, and no other layer" in ruled
    typed = selection(
        chosen=(7,), chosen_by="config", rule_layers=(), k_end=0, peak=None, theta=None, stability=(), resamples=0
    )
    text = Page(report_page(findings(selection=typed))).text
    assert (
        "Tuned: layer 7 of 8 (counted from 0), typed into the configuration. The rule alone selects no layer." in text
    )
    assert "The rule needs a model of at least 3 layers." in text
    assert "Not measured" in text


def test_page_says_where_the_papers_rule_has_no_answer() -> None:
    found = selection(highest=0, mean_overlap=(0.775, *[0.1] * 4, 0.631, 0.2, 0.2), peak=5, k_end=5)
    text = Page(report_page(findings(selection=found))).text
    assert (
        "those before layer 5, at which the mean overlap with English is highest from layer 2 on: layers 0 to 4."
        in text
    )
    assert "The overlap is highest in layer 0 (0.775); of the layers from 2 on, in layer 5 (0.631): before the" in text
    assert "of the layers from 2 on" not in Page(plain_page()).text


def test_page_shows_what_other_overlaps_and_shares_would_select() -> None:
    html = plain_page()
    end = selection().peak
    assert end is not None
    row = '<th scope="row">jaccard</th><td>0.5</td><td>{0}</td><td>{0}</td><td>0-{1}</td><td>0 2</td></tr>'
    assert f'<tr class="chosen">{row.format(end, end - 1)}' in html
    row = '<tr><th scope="row">coverage</th><td>0.3</td><td>0</td><td>4</td><td>0-3</td><td>none</td></tr>'
    assert row in html


@pytest.mark.parametrize(
    ("chosen_by", "said"),
    [
        ("first", "the first ones, by configuration"),
        ("random", "drawn at random, as many as the rule selects"),
        ("all", "all of them, by configuration"),
    ],
)
def test_page_and_table_say_which_layers_were_not_the_rules(chosen_by: str, said: str) -> None:
    other = findings(selection=selection(chosen_by=chosen_by))
    assert f"{said}. The rule alone selects layers 0 and 2." in Page(report_page(other)).text
    assert said in accuracy_table(other)


def test_page_and_table_say_what_english_was_forgotten() -> None:
    losses = EnglishLoss(loss=2.5, tokens=4321, texts=12), EnglishLoss(loss=2.75, tokens=4321, texts=12)
    forgot = findings(english=losses)
    text = Page(report_page(forgot)).text
    assert "(12 texts, 4,321 tokens) the loss was 2.500 nats a token before and is 2.750 after" in text
    assert "English text: loss 2.500 before, 2.750 after" in accuracy_table(forgot)
    assert "nats a token before" not in Page(plain_page()).text
    assert "English text" not in accuracy_table(findings())


def test_page_shows_what_tuning_did_inside_the_model() -> None:
    assert "Figures 6 and 9" not in plain_page()
    assert "Figure 10" not in plain_page()
    before = selection(chosen=(0, 2), mean_overlap=(0.5, 0.5, 0.8, *[0.6] * 5))
    after = selection(chosen=(0, 2), mean_overlap=(0.6, 0.5, 0.9, *[0.6] * 5))
    maps = [
        StateMap(StatesResult(languages=("sw", "en"), layers=(1, 3), questions=4), np.full((2, 2, 4, 2), place))
        for place in (0.0, 1.0)
    ]
    html = report_page(findings(selection=before, tuned_selection=after, states=tuple(maps)))
    assert "over the tuned layers 0.650 before and 0.750 after, over all layers 0.600 and 0.625" in Page(html).text
    assert "4 questions in each language" in Page(html).text
    assert "layer 2 0.80 to 0.90" in html
    assert "after layers 1, 3 (counted from 1), a colour for each language" in html


def test_page_says_what_cleaning_left_out() -> None:
    assert "<td>zh</td><td>9</td><td>1,000</td>" in plain_page()
    assert "三只猫 for 4" in Page(plain_page()).text


@pytest.mark.parametrize(
    ("projections", "said"),
    [
        (("up", "down"), "up and down of the FFN"),
        (("o", "q", "k", "v", "up"), "up of the FFN and q, k, v and o of the attention"),
        (("layer",), "all weights"),
    ],
)
def test_page_says_what_of_the_layers_was_tuned(projections: tuple[str, ...], said: str) -> None:
    assert f"only these layers were tuned ({said})" in Page(report_page(findings(projections=projections))).text

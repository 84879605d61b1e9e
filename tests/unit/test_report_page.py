"""The page: safe whatever the data holds, whole in one file, and honest in its words."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from slam_ray.evaluation.accuracy import score
from slam_ray.evaluation.comparison import AverageChange, CompareConfig, Comparison, compare
from slam_ray.reporting.findings import Benchmark, StepRecord
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


HOSTILE = "<script>alert('$x$')</script>"


def renamed(name: str) -> Benchmark:
    """A benchmark of this name in one language of this name."""
    marks = [replace(mark, language=name) for mark in answers(BEFORE, ("sw",))]
    scores = score(marks, [name], {name: 0.0})
    return Benchmark(name, scores, scores, compare(marks, marks, [name], CompareConfig(samples=10)))


def changed(low: float, high: float) -> Benchmark:
    """The benchmark with another interval of the headline."""
    original = benchmark()
    extractors = {
        name: found.model_copy(update={"avg_non_en": AverageChange(difference=(low + high) / 2, low=low, high=high)})
        for name, found in original.comparison.extractors.items()
    }
    return replace(original, comparison=Comparison(extractors=extractors))


def test_page_refers_to_nothing_outside_itself() -> None:
    html = report_page(findings(benchmarks=(benchmark(), benchmark("second", LANGUAGES[:-1]))))
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


def test_everything_from_data_is_escaped() -> None:
    hostile = findings(
        run=HOSTILE,
        model=HOSTILE,
        made=HOSTILE,
        selection=selection(share={f"{HOSTILE}{place}": row for place, row in enumerate(selection().share.values())}),
        projections=(HOSTILE,),
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
    page = Page(report_page(findings()))
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
    found = findings(benchmarks=(changed(low, high),))
    page = Page(report_page(found)).text
    for text in (page, accuracy_table(found)):
        assert set(re.findall(r"rises significantly|does not change significantly|falls significantly", text)) == {said}
    assert ("which includes 0" in page) == (said == "does not change significantly")


def test_a_smoke_run_is_marked_and_only_that() -> None:
    for limit in (None, 50):
        found = findings(limit=limit)
        assert ("Smoke run on the first 50 " in Page(report_page(found)).text) == (limit == 50)
        assert ("SMOKE RUN on the first 50 " in accuracy_table(found)) == (limit == 50)


def test_pcr_is_a_dash_without_english() -> None:
    found = findings(benchmarks=(benchmark(languages=LANGUAGES[:-1]),))
    cells = re.findall(r"<td>([^<]*)</td>", report_page(found))
    assert cells.count("\N{EN DASH}") == 2 * 9
    assert re.search(r"^sw .* -\s+-$", accuracy_table(found), re.MULTILINE)


def test_page_says_which_layers_were_tuned_and_who_chose_them() -> None:
    ruled = Page(report_page(findings())).text
    assert "Tuned: layers 0 and 2 of 8 (counted from 0), chosen by the rule. The language-specific" in ruled
    assert "the rule selects layer 0 in 100 %, layer 1 in 40 % of them, and no other layer" in ruled
    typed = selection(
        chosen=(7,), chosen_by="config", rule_layers=(), k_end=0, peak=0, theta=None, stability=(), resamples=0
    )
    text = Page(report_page(findings(selection=typed))).text
    assert (
        "Tuned: layer 7 of 8 (counted from 0), typed into the configuration. The rule alone selects no layer." in text
    )
    assert "K is empty" in text
    assert "Not measured" in text

"""The figures and the text table, drawn from an invented run; the page's tests use the same one."""

import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from slam_ray.corpora import Prepared
from slam_ray.corpora.cleaning import CleaningLoss, DroppedExample
from slam_ray.evaluation.accuracy import Mark, score
from slam_ray.evaluation.comparison import CompareConfig, compare
from slam_ray.evaluation.extraction import NUMBER_EXTRACTORS, Extractor
from slam_ray.reporting.figures import (
    accuracy_figure,
    activated_share_figure,
    loss_figure,
    msd_figure,
    overlap_change_figure,
    overlap_figure,
    states_figure,
)
from slam_ray.reporting.findings import BenchmarkFindings, Findings, StepRecord
from slam_ray.reporting.page import report_page
from slam_ray.reporting.svg import inline_svg
from slam_ray.reporting.table import accuracy_table, scores_table
from slam_ray.selection import SelectResult
from slam_ray.selection.alternatives import Alternative
from slam_ray.training import StepLoss, TrainResult

LANGUAGES = ("bn", "th", "sw", "ja", "zh", "de", "fr", "ru", "es", "en")
BEFORE = (28, 5, 29, 168, 173, 182, 176, 171, 182, 194)
AFTER = (76, 23, 82, 167, 170, 180, 179, 168, 184, 197)
PROBLEMS = 200


def answers(solved: tuple[int, ...], languages: tuple[str, ...]) -> list[Mark]:
    """Marks with the first `solved` problems of each language right, one less by strict; the last two unanswered."""
    return [
        Mark(f"{problem:03}", code, extractor, 1.0 if problem < PROBLEMS - 2 else None, problem < right)
        for code, count in zip(LANGUAGES, solved, strict=True)
        if code in languages
        for extractor, right in zip(NUMBER_EXTRACTORS, (count, count - 1), strict=True)
        for problem in range(PROBLEMS)
    ]


@cache
def benchmark(
    name: str = "arithmetic", languages: tuple[str, ...] = LANGUAGES, solved: tuple[int, ...] = AFTER
) -> BenchmarkFindings:
    before, after = answers(BEFORE, languages), answers(solved, languages)
    cut = dict.fromkeys(languages, 1.5)
    comparison = compare(before, after, languages, CompareConfig(samples=500))
    written = {code: {"en": 92.0, code: 8.0} for code in languages}
    scores = [score(marks, languages, cut, written) for marks in (before, after)]
    return BenchmarkFindings(name, scores[0], scores[1], comparison)


def selection(count: int = 8, chosen: tuple[int, ...] = (0, 2), **changes: object) -> SelectResult:
    random = np.random.default_rng(5)
    depth = np.arange(count)
    share = 0.45 + 0.1 * np.exp(-depth / 2) + random.normal(0, 0.02, (10, count)) * np.exp(-depth / 4)
    overlap = 0.5 + 0.35 * np.minimum(depth / (0.6 * count), 1) + random.normal(0, 0.02, (9, count))
    mean, msd = overlap.mean(axis=0), share.var(axis=0)
    peak = 2 + int(mean[2:].argmax())
    result = SelectResult(
        languages=LANGUAGES,
        share=dict(zip(LANGUAGES, map(tuple, share.tolist()), strict=True)),
        overlap=dict(zip(LANGUAGES[:-1], map(tuple, overlap.tolist()), strict=True)),
        mean_overlap=tuple(mean),
        highest=peak,
        peak=peak,
        k_end=peak,
        msd=tuple(msd),
        theta=float(msd[:peak].mean()),
        layers=chosen,
        chosen_by="rule",
        rule_layers=(0, 2),
        stability=(1.0, 0.4) + (0.0,) * (count - 2),
        resamples=29,
        alternatives=(
            Alternative(
                overlap="jaccard", neuron_share=0.5, configured=True, highest=peak, peak=peak, k_end=peak, layers=(0, 2)
            ),
            Alternative(overlap="coverage", neuron_share=0.3, configured=False, highest=0, peak=4, k_end=4, layers=()),
        ),
    )
    return result.model_copy(update=changes)


def findings(**changes: object) -> Findings:
    random = np.random.default_rng(6)
    losses = 3 * np.exp(-np.arange(750) / 150) + 0.4 + random.normal(0, 0.08, 750)
    base = Findings(
        run="demo",
        model="tiny-llama",
        made="2026-01-02 03:04 UTC",
        limit=None,
        selection=selection(),
        projections=("up", "down"),
        pairs=Prepared(
            records={"sw": 11_000, "zh": 1_000},
            left_out=9,
            losses=[
                CleaningLoss(
                    rule="lost_numbers",
                    language="zh",
                    pairs=9,
                    examples=[DroppedExample(id="7", source="三只猫", english="4")],
                )
            ],
        ),
        english=None,
        training=TrainResult(
            pairs=11_987, dropped=13, steps=750, trained_share=0.0489, tensors=["up", "down"], final_loss=losses[-1]
        ),
        losses=tuple(
            StepLoss(
                step=step + 1,
                loss=loss,
                learning_rate=2e-3,
                target_tokens=400,
                gradient_norm=0.5,
                tokens_per_second=900.0,
                peak_memory=2**30,
            )
            for step, loss in enumerate(losses)
        ),
        benchmarks=(benchmark(),),
        steps=(
            StepRecord("count", "1f0c" * 5, "2026-01-02T03:00:00Z", 21.42, {"dtype": "float32"}),
            StepRecord("train", "2e0d" * 5, "2026-01-02T03:00:30Z", 151.0, {"prompt": "<{query}>"}),
        ),
        versions={"ray": "2.60.0", "torch": "2.13.0"},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("selected", [(), (0,), (0, 2, 7)])
def test_figures_mark_exactly_the_selected_layers(selected: tuple[int, ...]) -> None:
    found = selection(chosen=selected)
    overlap = overlap_figure(
        list(found.overlap), list(found.overlap.values()), found.mean_overlap, found.k_end, selected
    )
    rings = overlap.findobj(lambda artist: artist.get_gid() == "selected")
    assert [tuple(point) for ring in rings for point in ring.get_offsets()] == [  # type: ignore[attr-defined]
        (layer, found.mean_overlap[layer]) for layer in selected
    ]
    msd = msd_figure(found.msd, found.theta, found.k_end, selected)
    bars = {bar.get_gid(): bar for bar in msd.findobj(Rectangle) if str(bar.get_gid()).startswith("selected")}
    assert {gid: bar.get_bbox().bounds for gid, bar in bars.items()} == {
        f"selected-{layer}": pytest.approx((layer - 0.4, 0, 0.8, found.msd[layer])) for layer in selected
    }
    for figure in (overlap, msd):
        (shade,) = (box for box in figure.findobj(Rectangle) if box.get_gid() == "language-specific")
        assert (shade.get_x(), shade.get_x() + shade.get_width()) == (-0.5, found.k_end - 0.5)


def test_a_language_has_one_colour_in_both_figures() -> None:
    found = selection()
    colours = [
        {line.get_label(): line.get_color() for line in figure.axes[0].lines}
        for figure in (
            activated_share_figure(found.languages, list(found.share.values())),
            overlap_figure(
                list(found.overlap), list(found.overlap.values()), found.mean_overlap, found.k_end, found.layers
            ),
        )
    ]
    assert len({colours[0][code] for code in found.overlap}) == 9
    assert all(colours[0][code] == colours[1][code] for code in found.overlap)


def test_overlap_before_and_after_marks_the_tuned_layers() -> None:
    before, after = [0.3, 0.5, 0.4], [0.35, 0.45, 0.6]
    figure = overlap_change_figure(before, after, (0, 2))
    lines = {line.get_label(): np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].lines}
    assert lines == {"before": before, "after": after}
    shades = [box for box in figure.findobj(Rectangle) if str(box.get_gid()).startswith("tuned-")]
    assert [(box.get_x(), box.get_gid()) for box in shades] == [(-0.5, "tuned-0"), (1.5, "tuned-2")]


@pytest.mark.parametrize("models", [1, 2])
def test_states_have_a_panel_a_depth_and_a_model_and_a_colour_a_language(models: int) -> None:
    points = np.random.default_rng(3).normal(size=(models, 4, 3, 5, 2))
    figure = states_figure(("sw", "en", "bn"), list(points), (1, 3, 6, 8))
    assert len(figure.axes) == 4 * models
    drawn: list[Any] = list(figure.axes[-1].collections)
    assert [dots.get_offsets().tolist() for dots in drawn] == points[-1, -1].tolist()
    assert len({tuple(dots.get_facecolor()[0]) for dots in drawn}) == 3


def test_small_runs_can_be_drawn() -> None:
    one = loss_figure([1], [2.5])
    assert "<svg" in inline_svg(one, "one", "one step")
    assert "<svg" in inline_svg(accuracy_figure(["sw"], [(0, 0, 0)], [(100, 100, 100)]), "sw", "one language")


def test_the_same_figure_gives_the_same_svg() -> None:
    drawn = {inline_svg(loss_figure([1, 2, 3], [3.0, 2.0, 1.5]), "loss", "loss") for _ in range(2)}
    assert len(drawn) == 1


def test_text_table_is_aligned_and_fits_a_terminal() -> None:
    lines = accuracy_table(findings()).splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines if re.match(r"(\w\w|average|non-English)  ", line)]
    assert [row.split()[0] for row in rows] == [*LANGUAGES, "average", "non-English", *LANGUAGES]
    assert "language  strict  after  none  after  cut  after  written in  after" in lines
    assert "bn          13.5   37.5   1.0    1.0  1.5    1.5       en 92  en 92" in lines
    rows = rows[:12]
    values = [[match.start() for match in re.finditer(r"\.\d(?=[ *]|$)", row)] for row in rows]
    assert len({tuple(points) for points in values[:10]}) == 1
    assert all(set(points) <= set(values[0]) for points in values[10:])
    assert "bn             14.0   9.9-19.5   38.0  31.6-44.9  +24.0*        14.4   38.6" in lines
    assert "* McNemar p < 0.05, Holm-corrected over the 10 languages" in lines
    assert lines[-2:] == [
        "tuned: layers 0 and 2 of 8 (counted from 0), chosen by the rule",
        "trained share: 4.89 % of the parameters",
    ]


def test_a_star_counts_all_languages_of_its_table() -> None:
    """Six problems gained and none lost: p is .031 in Bengali alone, .31 where nine other languages are asked too."""
    six_more = (BEFORE[0] + 6, *BEFORE[1:])
    alone = benchmark(languages=("bn",), solved=six_more)
    assert re.search(r"^bn .* \+3\.0\* ", accuracy_table(findings(benchmarks=(alone,))), re.MULTILINE)
    among = benchmark(solved=six_more)
    assert re.search(r"^bn .* \+3\.0   ", accuracy_table(findings(benchmarks=(among,))), re.MULTILINE)
    assert (among.languages[0].change.p, among.languages[0].change.p_holm) == (0.03125, 0.3125)
    page = report_page(findings(benchmarks=(among,)))
    assert "<td>0.312</td>" in page
    assert "its p values are Holm-corrected over the 10 languages" in page
    assert "Holm" not in report_page(findings(benchmarks=(alone,)))


def test_english_alone_and_a_benchmark_without_it_have_a_headline_too() -> None:
    alone = benchmark(languages=("en",))
    assert [row.name for row in alone.averages] == ["average"]
    without = benchmark(languages=LANGUAGES[:-1])
    assert [row.name for row in without.averages] == ["average without English"]
    assert (alone.correction, without.correction) == ("", "Holm-corrected over the 9 languages")
    table = accuracy_table(findings(benchmarks=(alone, without)))
    assert re.search(r"^en +97.0 .* 100.0 +100.0$", table, re.MULTILINE)
    assert re.search(r"^sw .* -\s+-$", table, re.MULTILINE)


def test_where_the_papers_rule_has_no_answer_the_table_says_so() -> None:
    found = selection(highest=0, mean_overlap=(0.775, *[0.1] * 4, 0.631, 0.2, 0.2), peak=5, k_end=5)
    said = "the overlap is highest in layer 0 (0.775); of the layers from 2 on, in layer 5 (0.631)"
    assert f"chosen by the rule\n{said}\n" in accuracy_table(findings(selection=found))
    typed = found.model_copy(update={"chosen_by": "config"})
    assert "from 2 on" not in accuracy_table(findings(selection=typed))
    assert "from 2 on" not in accuracy_table(findings())


@pytest.mark.parametrize("names", [("last-number", "strict"), ("last-label", "first-label")])
def test_the_table_of_one_model_fits_a_terminal(names: tuple[Extractor, Extractor]) -> None:
    """Also where all is answered in one language and nothing is found."""
    marks = [
        Mark(f"{problem}", code, name, None, code == "en")
        for code in ("en", "sw")
        for name in names
        for problem in range(1000)
    ]
    table = scores_table(
        "one", score(marks, ("en", "sw"), {"en": 100, "sw": 0}, {code: {"unclear": 100} for code in ("en", "sw")})
    )
    title, head, *rows = table.splitlines()
    assert title == "one: accuracy in percent, 1000 problems a language"
    assert head.split() == ["language", names[0], "95", "%", "PCR", names[1], "none", "cut", "written", "in"]
    assert rows[1].split() == ["sw", "0.0", "0.0-0.4", "0.0", "0.0", "100.0", "0.0", "unclear", "100"]
    assert max(map(len, (title, head, *rows))) <= 80

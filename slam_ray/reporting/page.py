"""The report on a run as one HTML file, which refers to nothing outside itself."""

import json
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from slam_ray.corpora.languages import LANGUAGES
from slam_ray.evaluation.extraction import Extractor
from slam_ray.reporting import figures
from slam_ray.reporting.findings import BenchmarkFindings, Findings, first_layers, layer_names
from slam_ray.reporting.svg import inline_svg
from slam_ray.reporting.table import points
from slam_ray.selection import layer_ranges

if TYPE_CHECKING:
    from markupsafe import Markup

MINUS = "\N{MINUS SIGN}"
EXTRACTORS: dict[Extractor, str] = {
    "last-number": "the last number of a response, as the field reads it",
    "strict": "a stricter reading of answers",
    "last-label": "the last label, one within brackets if there is one",
    "first-label": "the first label, one within brackets if there is one",
}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def report_page(findings: Findings) -> str:
    """The whole page; every text from data is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        signed=signed,
        number=number,
        p_value=p_value,
        duration=duration,
        small=small,
        layer_names=layer_names,
        first_layers=first_layers,
        layer_ranges=layer_ranges,
        pretty=_pretty,
    )
    stability = enumerate(findings.selection.stability)
    counted = [each for each in (findings.selection, findings.tuned_selection) if each is not None]
    return environment.get_template("page.html.j2").render(
        findings=findings,
        selection=findings.selection,
        training=findings.training,
        names={code: language.name for code, language in LANGUAGES.items()} | dict(findings.names),
        extractors=EXTRACTORS,
        stable=[(layer, share) for layer, share in stability if share > 0],
        layer_figures=_layer_figures(findings),
        change=_change(findings),
        mean_overlap={
            "tuned": [fmean(each.mean_overlap[layer] for layer in findings.selection.layers) for each in counted],
            "all": [fmean(each.mean_overlap) for each in counted],
        },
        states=_states(findings),
        loss=_loss(findings),
        accuracy=[_accuracy(benchmark, index) for index, benchmark in enumerate(findings.benchmarks)],
    )


def signed(value: float) -> str:
    """A difference in points with its sign."""
    return points(value).replace("-", MINUS)


def number(value: float | None) -> str:
    """One decimal, or a dash for what does not exist."""
    return "\N{EN DASH}" if value is None else f"{value:.1f}"


def small(value: float) -> str:
    """Three digits of a number that may be tiny, e.g. 1.08 × 10⁻⁴."""
    if value == 0 or abs(value) >= 1e-3:
        return f"{value:.3g}"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{digits} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def p_value(p: float) -> str:
    """A p value as papers print it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def duration(seconds: float) -> str:
    """Seconds in the two units that matter."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _layer_figures(findings: Findings) -> dict[str, "Markup"]:
    selection = findings.selection
    count, others = len(selection.msd), list(selection.overlap)
    lowest, highest = min(selection.mean_overlap), max(selection.mean_overlap)
    shares = [value for row in selection.share.values() for value in row]
    known = f"K is {first_layers(selection.k_end)}"
    threshold = "" if selection.theta is None else f" against the threshold {selection.theta:.3g} over K"
    return {
        "share": inline_svg(
            figures.activated_share_figure(list(selection.share), list(selection.share.values())),
            "share",
            f"Line chart of the share of activated neurons in each of {count} layers, one line for each of"
            f" {len(selection.share)} languages; all values lie between {min(shares):.2f} and {max(shares):.2f}.",
        ),
        "overlap": inline_svg(
            figures.overlap_figure(
                others, list(selection.overlap.values()), selection.mean_overlap, selection.k_end, selection.layers
            ),
            "overlap",
            f"Line chart of each language's overlap with English in each of {count} layers, and their mean, which"
            f" runs from {lowest:.2f} at its lowest to {highest:.2f} at layer {selection.highest}; {known};"
            f" marked: {findings.tuned}.",
        ),
        "msd": inline_svg(
            figures.msd_figure(selection.msd, selection.theta, selection.k_end, selection.layers),
            "msd",
            f"Bar chart of the MSD of each of {count} layers{threshold}; {known}; marked: {findings.tuned}.",
        ),
    }


def _change(findings: Findings) -> "Markup | None":
    """The change of the overlap with English, if the tuned model was counted."""
    before, tuned = findings.selection, findings.tuned_selection
    if tuned is None:
        return None
    said = ", ".join(
        f"layer {layer} {old:.2f} to {new:.2f}"
        for layer, (old, new) in enumerate(zip(before.mean_overlap, tuned.mean_overlap, strict=True))
    )
    return inline_svg(
        figures.overlap_change_figure(before.mean_overlap, tuned.mean_overlap, before.layers),
        "change",
        f"Mean overlap with English per layer before and after tuning: {said}.",
    )


def _states(findings: Findings) -> "Markup | None":
    """Maps of the last tokens' hidden states, if the configuration wants them."""
    if not findings.states:
        return None
    first = findings.states[0].result
    return inline_svg(
        figures.states_figure(first.languages, [each.points for each in findings.states], first.layers),
        "states",
        f"Maps of the hidden states of {first.questions} questions in {len(first.languages)} languages after layers"
        f" {', '.join(map(str, first.layers))} (counted from 1), a colour for each language.",
    )


def _loss(findings: Findings) -> "Markup":
    losses = [step.loss for step in findings.losses]
    return inline_svg(
        figures.loss_figure([step.step for step in findings.losses], losses),
        "loss",
        f"Line chart of the training loss over {len(losses)} optimizer steps, from {losses[0]:.3f} to"
        f" {losses[-1]:.3f}.",
    )


def _accuracy(benchmark: BenchmarkFindings, index: int) -> "Markup":
    rows = benchmark.languages
    before, after = (
        [(score.accuracy, score.low, score.high) for score in scores]
        for scores in ([row.before for row in rows], [row.after for row in rows])
    )
    said = ", ".join(f"{row.language} {row.before.accuracy:.1f} to {row.after.accuracy:.1f}" for row in rows)
    return inline_svg(
        figures.accuracy_figure([row.language for row in rows], before, after),
        f"accuracy{index}",
        f"Accuracy in percent before and after tuning with 95 % intervals: {said}.",
    )

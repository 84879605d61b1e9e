"""The figures of a run, each a function of plain arrays: Figures 2, 3, 6 and 10 of the paper, MSD, accuracy and loss.

Layers count from 0. Every colour can be told from white and from near-black, so a figure fits either page.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from slam_ray.config import ENGLISH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1b1f24"
BEFORE, AFTER = "#8a8f98", "#d9480f"
SELECTED, OTHER = AFTER, "#8a9bb5"
K_SHADE = "#3b78c2"
LANGUAGE_COLOURS = (
    "#3b78c2", "#2f9e44", "#c2255c", "#8e5bd6", "#b8860b", "#1296a8", "#a0623d", "#d957b0", "#6b7d1e", "#64748b",
)  # fmt: skip
MARKERS = "os^Dv<>Pp"


def activated_share_figure(languages: Sequence[str], share: ArrayLike) -> "Figure":
    """Figure 2: the share of activated neurons per layer, one line a language.

    Args:
        languages: N codes, English among them.
        share: [N, layers], between 0 and 1 (Eq. 4).
    """
    shares = np.asarray(share, dtype=float)
    figure, axes = _axes("layer", "activated neurons (share of the FFN)")
    _language_lines(axes, languages, shares)
    _layer_axis(axes, shares.shape[1])
    return _finish(figure)


def overlap_figure(
    languages: Sequence[str], overlap: ArrayLike, mean_overlap: ArrayLike, k_end: int, layers: Sequence[int]
) -> "Figure":
    """Figure 3: overlap of activated neurons with English, their mean, K shaded, the selected layers ringed.

    Args:
        languages: the N - 1 codes other than English.
        overlap: [N - 1, layers], between 0 and 1.
        mean_overlap: [layers], the mean over those languages.
        k_end: first layer after the language-specific layers K.
        layers: the selected layers.
    """
    mean = np.asarray(mean_overlap, dtype=float)
    figure, axes = _axes("layer", "overlap with English")
    _shade(axes, k_end)
    _language_lines(axes, languages, np.asarray(overlap, dtype=float), linewidth=0.9)
    axes.plot(range(mean.size), mean, color=INK, linewidth=2.4, label="mean", zorder=4)
    if len(layers):
        chosen = list(layers)
        axes.scatter(
            chosen, mean[chosen], s=110 if mean.size <= 16 else 45, facecolors="none", edgecolors=SELECTED,
            linewidths=2.0, label="selected", zorder=5, gid="selected", clip_on=False,
        )  # fmt: skip
    _layer_axis(axes, mean.size)
    return _finish(figure)


def msd_figure(msd: ArrayLike, theta: float | None, k_end: int, layers: Sequence[int]) -> "Figure":
    """Mean squared deviation of the activated share between languages per layer, against the threshold (Eq. 5-7).

    Args:
        msd: [layers].
        theta: the threshold, drawn over K, to which it applies; None if K is empty.
        k_end: first layer after the language-specific layers K.
        layers: the selected layers.
    """
    values = np.asarray(msd, dtype=float)
    figure, axes = _axes("layer", "MSD between languages")
    _shade(axes, k_end)
    others = [layer for layer in range(values.size) if layer not in set(layers)]
    axes.bar(others, values[others], color=OTHER, label="not selected")
    if len(layers):
        chosen = list(layers)
        for layer, bar in zip(chosen, axes.bar(chosen, values[chosen], color=SELECTED, label="selected"), strict=True):
            bar.set_gid(f"selected-{layer}")
    if theta is not None:
        axes.plot([-0.5, k_end - 0.5], [theta, theta], color=INK, linestyle="--", linewidth=1.6, label="threshold θ")
    axes.ticklabel_format(axis="y", scilimits=(-3, 4))
    _layer_axis(axes, values.size)
    return _finish(figure)


def overlap_change_figure(before: ArrayLike, after: ArrayLike, layers: Sequence[int]) -> "Figure":
    """Figures 6 and 9: mean overlap with English before and after tuning, the tuned layers shaded.

    Args:
        before: [layers], the mean over the languages other than English.
        after: the same of the tuned model.
        layers: the tuned layers.
    """
    figure, axes = _axes("layer", "mean overlap with English")
    for index, layer in enumerate(layers):
        label = "tuned" if index == 0 else None
        axes.axvspan(
            layer - 0.5, layer + 0.5, color=SELECTED, alpha=0.13, linewidth=0, label=label, gid=f"tuned-{layer}"
        )
    for values, colour, marker, name in ((before, BEFORE, "o", "before"), (after, AFTER, "D", "after")):
        line = np.asarray(values, dtype=float)
        axes.plot(line, color=colour, marker=marker if line.size <= 40 else "", markersize=4, linewidth=2.0, label=name)
    _layer_axis(axes, line.size)
    return _finish(figure)


def states_figure(languages: Sequence[str], maps: Sequence[ArrayLike], layers: Sequence[int]) -> "Figure":
    """Figure 10: t-SNE of the last tokens' states, a column a depth, a row a model, a colour a language.

    Args:
        languages: N codes.
        maps: [depths, N, questions, 2] of the base model and, if it was looked into, of the tuned one.
        layers: the layer at each depth, counted from 1.
    """
    figure = _figure(2.1 * len(layers), 2.2 * len(maps) + 0.5)
    panels = figure.subplots(len(maps), len(layers), squeeze=False)
    for row, (name, points) in enumerate(zip(("before", "after"), maps, strict=False)):
        for column, layer in enumerate(layers):
            axes = panels[row][column]
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_color(INK)
            if row == 0:
                axes.set_title(f"after layer {layer}", color=INK, fontsize=10)
            if column == 0:
                axes.set_ylabel(name, color=INK)
            for language, colour in zip(languages, _colours(languages), strict=True):
                across, up = np.asarray(points, dtype=float)[column, languages.index(language)].T
                label = language if row == column == 0 else None
                axes.scatter(across, up, s=7, color=colour, linewidths=0, alpha=0.8, label=label)
    return _finish(figure)


def accuracy_figure(languages: Sequence[str], before: ArrayLike, after: ArrayLike) -> "Figure":
    """Accuracy per language before and after tuning, with its interval.

    Args:
        languages: N codes.
        before: [N, 3]: accuracy, lower and upper end of its interval, in percent.
        after: the same of the tuned model.
    """
    figure, axes = _axes("", "accuracy (%)")
    positions = np.arange(len(languages))
    for values, shift, colour, marker, label in (
        (before, -0.12, BEFORE, "o", "before"),
        (after, 0.12, AFTER, "D", "after"),
    ):
        value, low, high = np.asarray(values, dtype=float).reshape(len(languages), 3).T
        axes.errorbar(
            positions + shift, value, yerr=np.stack([value - low, high - value]), fmt=marker, color=colour,
            markersize=6, elinewidth=1.6, capsize=3, label=label,
        )  # fmt: skip
    axes.set_xticks(positions, list(languages))
    axes.set_xlim(-0.6, len(languages) - 0.4)
    axes.set_ylim(-2, 102)
    return _finish(figure)


def loss_figure(steps: Sequence[int], losses: Sequence[float]) -> "Figure":
    """Training loss per optimizer step, and its running mean over a twentieth of the run.

    Args:
        steps: number of each step.
        losses: mean negative log-likelihood of a target token, in nats.
    """
    figure, axes = _axes("optimizer step", "loss (nats a target token)")
    axes.plot(steps, losses, color=OTHER, linewidth=0.8, marker="." if len(losses) < 30 else "", label="step")
    window = len(losses) // 20
    if window > 1:
        mean = np.convolve(losses, np.ones(window) / window, mode="valid")
        start = window // 2
        axes.plot(steps[start : start + mean.size], mean, color=AFTER, linewidth=2.0, label=f"mean of {window} steps")
    axes.set_ylim(0, 1.06 * max(losses))
    return _finish(figure)


def pareto_figure(
    trained_share: ArrayLike,
    accuracy: ArrayLike,
    front: Sequence[bool],
    configured: int | None,
    best: int | None,
    base: float,
) -> "Figure":
    """Accuracy against the share of parameters trained, a point a trial, with the Pareto front as steps.

    Args:
        trained_share: [trials], between 0 and 1.
        accuracy: [trials], percent, over the languages other than English.
        front: whether each is on the front.
        configured: index of the trial with the configuration's selection; None if there is none.
        best: index of the best trial; None if there is none.
        base: accuracy of the untuned model.
    """
    share, percent = 100 * np.asarray(trained_share, dtype=float), np.asarray(accuracy, dtype=float)
    figure, axes = _axes("parameters trained (%)", "non-English accuracy (%)")
    axes.axhline(base, color=BEFORE, linestyle=":", linewidth=1.4, label="untuned")
    axes.scatter(share, percent, color=OTHER, s=34, label="trial", zorder=3)
    edge = sorted((share[trial], percent[trial]) for trial in np.flatnonzero(front))
    if edge:
        axes.step(*zip(*edge, strict=True), where="post", color=INK, linewidth=1.6, label="front", gid="front")
    for trial, colour, label in ((configured, LANGUAGE_COLOURS[0], "trial 0"), (best, SELECTED, "best")):
        if trial is not None:
            axes.scatter(
                share[trial], percent[trial], s=110, facecolors="none", edgecolors=colour, linewidths=2.0, label=label,
                zorder=4 if label == "best" else 5, marker="o" if label == "best" else "D",
            )  # fmt: skip
    return _finish(figure)


def layer_range_figure(
    ends: Sequence[int], accuracy: ArrayLike, layers: int, configured: float | None, base: float
) -> "Figure":
    """Figure 4: accuracy by the last trained layer, of trials that train all layers from the first on.

    Args:
        ends: [trials], the last layer of each.
        accuracy: [trials], percent, over the languages other than English; of several with one end the best is drawn.
        layers: number of layers of the model.
        configured: accuracy with the configuration's selection; None if no trial has it.
        base: accuracy of the untuned model.
    """
    best = dict.fromkeys(sorted(set(ends)), 0.0)
    for end, value in zip(ends, np.asarray(accuracy, dtype=float), strict=True):
        best[end] = max(best[end], value)
    figure, axes = _axes("last trained layer, from layer 0 on", "non-English accuracy (%)")
    axes.axhline(base, color=BEFORE, linestyle=":", linewidth=1.4, label="untuned")
    if configured is not None:
        axes.axhline(configured, color=LANGUAGE_COLOURS[0], linestyle="--", linewidth=1.4, label="trial 0")
    axes.plot(list(best), list(best.values()), color=SELECTED, marker="o", linewidth=1.8, label="layers 0 to here")
    _layer_axis(axes, layers)
    return _finish(figure)


def _axes(x_label: str, y_label: str) -> tuple["Figure", "Axes"]:
    from matplotlib import rc_context

    with rc_context({"font.size": 10.0, "axes.spines.top": False, "axes.spines.right": False}):
        figure = _figure(5.2, 3.6)
        axes = figure.add_subplot()
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    axes.tick_params(colors=INK)
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.grid(axis="y", color="#808080", alpha=0.25, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    # A Figure outside pyplot: no window, no global state, nothing to close.
    return Figure(figsize=(width, height), layout="constrained")


def _colours(languages: Sequence[str]) -> list[str]:
    """English is drawn in ink and not counted, so that every other language has one colour in all figures."""
    others = [code for code in languages if code != ENGLISH]
    return [
        INK if code == ENGLISH else LANGUAGE_COLOURS[others.index(code) % len(LANGUAGE_COLOURS)] for code in languages
    ]


def _language_lines(axes: "Axes", languages: Sequence[str], values: np.ndarray, **style: Any) -> None:
    others = [code for code in languages if code != ENGLISH]
    style = {"linewidth": 1.4, **style}
    for code, colour, line in zip(languages, _colours(languages), values, strict=True):
        if code == ENGLISH:
            axes.plot(line, color=colour, label=code, **{**style, "linewidth": 2.4}, zorder=4)
            continue
        index = others.index(code)
        style_index = index // len(LANGUAGE_COLOURS)
        axes.plot(
            line, color=colour, linestyle=("-", "--", ":")[style_index % 3], label=code,
            marker=MARKERS[index % len(MARKERS)] if line.size <= 40 else "", markersize=3.6, **style,
        )  # fmt: skip


def _shade(axes: "Axes", k_end: int) -> None:
    axes.axvspan(-0.5, k_end - 0.5, color=K_SHADE, alpha=0.13, linewidth=0, label="K", gid="language-specific")


def _layer_axis(axes: "Axes", layers: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(-0.5, layers - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=16, integer=True, min_n_ticks=1))


def _finish(figure: "Figure") -> "Figure":
    from matplotlib.text import Text

    legend = figure.legend(
        loc="outside lower center", ncols=6, frameon=False, labelcolor=INK, columnspacing=1.4, handlelength=1.6
    )
    for text in [*figure.findobj(Text), *legend.get_texts()]:
        text.set_parse_math(False)
    return figure

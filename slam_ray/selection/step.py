"""The select step: the rule on a counts artifact, how stable its choice is, and the error when it chooses nothing."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel

from slam_ray.activations.counts import COUNTS_FILE, Counts, read_counts
from slam_ray.config import ENGLISH, InputError, SelectionConfig
from slam_ray.pipeline.step import Artifact, Attempt, Step
from slam_ray.selection.rule import (
    Floats,
    Ruling,
    activated_share,
    apply_rule,
    overlap_with_english,
    resampled_layers,
)

SELECTION_FILE = "selection.json"
ChosenBy = Literal["rule", "config", "first", "random", "all"]


class SelectResult(BaseModel):
    """The selected layers and all that led to them; layers count from 0, every inner list has one value a layer.

    Attributes:
        share: language -> activated share (Eq. 4).
        overlap: language other than English -> overlap with English.
        mean_overlap: mean of `overlap`.
        peak: the layer where it is highest.
        k_end: one past the last language-specific layer; `peak`, or less where `max_layer_share` caps it.
        msd: mean squared deviation (Eq. 6).
        theta: the threshold (Eq. 7); None if there is no language-specific layer, and the layers are not the rule's.
        layers: the selected layers.
        chosen_by: the rule, or the configuration: typed layers (config), the first ones, as many random ones, all.
        rule_layers: what the rule alone selects.
        stability: share of the resamples in which the rule selects a layer; empty without resamples.
        resamples: how many there are: each language other than English and each group of questions left out once.
    """

    languages: tuple[str, ...]
    share: dict[str, tuple[float, ...]]
    overlap: dict[str, tuple[float, ...]]
    mean_overlap: tuple[float, ...]
    peak: int
    k_end: int
    msd: tuple[float, ...]
    theta: float | None
    layers: tuple[int, ...]
    chosen_by: ChosenBy
    rule_layers: tuple[int, ...]
    stability: tuple[float, ...]
    resamples: int


def select_step(config: SelectionConfig, counts: Artifact[Any]) -> Step[SelectResult]:
    """Select the layers that handle the input language, in the driver; the artifact's file is `selection.json`."""

    def run(attempt: Attempt) -> SelectResult:
        result = select(read_counts(counts.file(COUNTS_FILE)), config)
        (attempt.directory / SELECTION_FILE).write_text(result.model_dump_json(indent=1) + "\n")
        return result

    return Step("select", 1, config, {"counts": counts}, SelectResult, run)


def select(counts: Counts, config: SelectionConfig) -> SelectResult:
    """Apply the rule to `counts` and to its resamples (sections 3.1 and 3.2).

    Raises:
        InputError: the rule is asked and selects nothing, English or any other language is missing, or the model has
            not the layers that the configuration names.
    """
    languages = counts.languages
    if ENGLISH not in languages or len(languages) < 2:
        raise InputError(f"selection needs counts of {ENGLISH!r} and another language, not of {' '.join(languages)!r}")
    english = languages.index(ENGLISH)
    activated, tokens = counts.activated.sum(axis=0, dtype=np.int64), counts.tokens.sum(axis=0, dtype=np.int64)
    share = activated_share(activated, tokens)
    overlap = overlap_with_english(activated, tokens, english, config)
    ruling = apply_rule(share, overlap, config)
    layers, chosen_by = _chosen(ruling, config)
    if not layers:
        raise InputError(_why_nothing(ruling, config))
    resampled = resampled_layers(counts.activated, counts.tokens, english, config)
    return SelectResult(
        languages=languages,
        share=_by_language(languages, share),
        overlap=_by_language([code for code in languages if code != ENGLISH], overlap),
        mean_overlap=tuple(ruling.mean_overlap.tolist()),
        peak=ruling.peak,
        k_end=ruling.k_end,
        msd=tuple(ruling.msd.tolist()),
        theta=ruling.theta,
        layers=layers,
        chosen_by=chosen_by,
        rule_layers=ruling.layers,
        stability=_stability(resampled, len(ruling.msd)),
        resamples=len(resampled),
    )


def _by_language(languages: Sequence[str], values: Floats) -> dict[str, tuple[float, ...]]:
    return {code: tuple(row) for code, row in zip(languages, values.tolist(), strict=True)}


def _stability(resampled: Sequence[Sequence[int]], layers: int) -> tuple[float, ...]:
    if not resampled:
        return ()
    return tuple(sum(layer in selected for selected in resampled) / len(resampled) for layer in range(layers))


def _chosen(ruling: Ruling, config: SelectionConfig) -> tuple[tuple[int, ...], ChosenBy]:
    """The layers to tune: the rule's, or what the configuration says instead (the ablations of Figure 4)."""
    count = len(ruling.msd)
    if config.layers is not None:
        beyond = [layer for layer in config.layers if layer >= count]
        if beyond:
            raise InputError(f"selection.layers: there is no layer {beyond[0]}; the model has layers 0 to {count - 1}")
        return tuple(sorted(set(config.layers))), "config"
    if config.first is not None:
        if config.first > count:
            raise InputError(f"selection.first: there are no {config.first} layers; the model has {count}")
        return tuple(range(config.first)), "first"
    if config.random_seed is not None:
        drawn = np.random.default_rng(config.random_seed).choice(count, len(ruling.layers), replace=False)
        return tuple(sorted(drawn.tolist())), "random"
    return (tuple(range(count)), "all") if config.all_layers else (ruling.layers, "rule")


def _why_nothing(ruling: Ruling, config: SelectionConfig) -> str:
    """Say why the rule selects no layer and which options change that."""
    others = (
        f"try another overlap (now {config.overlap}; jaccard, coverage or english) or neuron_share"
        f" (now {config.neuron_share:g}), or type the layers (selection.layers)"
    )
    if ruling.peak == 0:
        return (
            "no layer is language-specific: the mean overlap with English is highest in layer 0 already, and only"
            f" layers before its highest are; {others}"
        )
    if ruling.k_end == 0:
        return (
            f"no layer is language-specific: max_layer_share {config.max_layer_share:g} of {len(ruling.msd)} layers is"
            " less than one layer; raise it"
        )
    msd = " ".join(f"{value:.2e}" for value in ruling.msd[: ruling.k_end])
    return (
        f"no layer is selected: of the language-specific layers 0 to {ruling.k_end - 1} none has an MSD above the"
        f" threshold {ruling.theta:.2e} (MSD {msd}); lower theta_factor (now {config.theta_factor:g}), {others}"
    )

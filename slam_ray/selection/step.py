"""The select step: the rule on a counts artifact, how stable its layers are, and the error when there are none."""

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel

from slam_ray.activations import COUNTS_FILE, CountResult, Counts, read_counts
from slam_ray.config import ENGLISH, InputError, SelectionConfig
from slam_ray.selection.alternatives import Alternative, alternatives, alternatives_table
from slam_ray.selection.rule import (
    FEWEST_LAYERS_OF_K,
    Floats,
    Ruling,
    activated_share,
    apply_rule,
    overlap_with_english,
    resampled_layers,
)
from slam_ray.store.step import Artifacts, Attempt, Derived, Input, Step, known

SELECTION_FILE = "selection.json"
# Raise it with every change that gives another result for the same counts.
SELECT_VERSION = 2
ChosenBy = Literal["rule", "config", "first", "random", "all"]


class SelectResult(BaseModel):
    """The selected layers and all that led to them; layers count from 0, every inner list has one value a layer.

    Attributes:
        share: language -> activated share (Eq. 4).
        overlap: language other than English -> overlap with English.
        mean_overlap: mean of `overlap`.
        highest: the layer where it is highest.
        peak: the layer from 2 on where it is highest; None if the model has no such layer.
        k_end: one past the last language-specific layer; `peak`, or less where `max_layer_share` caps it.
        msd: mean squared deviation (Eq. 6).
        theta: the threshold (Eq. 7); None if no layer is language-specific.
        layers: the selected layers.
        chosen_by: what decided `layers`: the rule, or the configuration, with typed layers ("config"), the first ones,
            random ones or all.
        rule_layers: what the rule alone selects.
        stability: of each layer, the share of the resamples in which the rule selects it; empty without resamples.
        resamples: how many there are: one without each language other than English, one without each group of
            questions.
        alternatives: what the rule selects with other overlaps and neuron shares.
    """

    languages: tuple[str, ...]
    share: dict[str, tuple[float, ...]]
    overlap: dict[str, tuple[float, ...]]
    mean_overlap: tuple[float, ...]
    highest: int
    peak: int | None
    k_end: int
    msd: tuple[float, ...]
    theta: float | None
    layers: tuple[int, ...]
    chosen_by: ChosenBy
    rule_layers: tuple[int, ...]
    stability: tuple[float, ...]
    resamples: int
    alternatives: tuple[Alternative, ...]

    @property
    def where_highest(self) -> str:
        """The layer of the highest overlap and the one taken instead, where they differ; else ""."""
        if self.peak is None or self.peak == self.highest:
            return ""
        first, later = (f"layer {layer} ({self.mean_overlap[layer]:.3f})" for layer in (self.highest, self.peak))
        return f"the overlap is highest in {first}; of the layers from {FEWEST_LAYERS_OF_K} on, in {later}"


class NothingSelected(InputError):
    """The rule selects no layer; `result` is all that it computed."""

    def __init__(self, message: str, result: SelectResult) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type[Self], tuple[str, SelectResult]]:
        return type(self), (str(self), self.result)


def select_step(
    config: SelectionConfig, counts: Input[CountResult], layers: Input[SelectResult] | None = None
) -> Step[SelectResult]:
    """Select the layers that handle the input language, in the driver; the artifact's file is `selection.json`.

    With `layers` of an earlier selection the result names those, as if they were typed: those of a tuned model are
    the ones that were tuned.
    """
    selection = known(config) if layers is None else _with_layers_of(layers, config)

    def run(attempt: Attempt) -> SelectResult:
        result = select(read_counts(attempt[counts].file(COUNTS_FILE)), attempt[selection])
        (attempt.directory / SELECTION_FILE).write_text(result.model_dump_json(indent=1) + "\n")
        return result

    return Step("select", SELECT_VERSION, selection, {"counts": counts}, SelectResult, run)


def _with_layers_of(layers: Input[SelectResult], config: SelectionConfig) -> Derived[SelectionConfig]:
    def typed(artifacts: Artifacts) -> SelectionConfig:
        return SelectionConfig(
            layers=artifacts[layers].result.layers,
            neuron_share=config.neuron_share,
            overlap=config.overlap,
            theta_factor=config.theta_factor,
            max_layer_share=config.max_layer_share,
        )

    return Derived([layers], typed)


def select(counts: Counts, config: SelectionConfig) -> SelectResult:
    """Apply the rule to `counts` and to its resamples (sections 3.1 and 3.2).

    Raises:
        NothingSelected: the rule selects no layer, and the configuration names none.
        InputError: English is missing or is the only language, or the model lacks a layer that the configuration
            names.
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
    resampled = resampled_layers(counts.activated, counts.tokens, english, config)
    result = SelectResult(
        languages=languages,
        share=_by_language(languages, share),
        overlap=_by_language([code for code in languages if code != ENGLISH], overlap),
        mean_overlap=tuple(ruling.mean_overlap.tolist()),
        highest=ruling.highest,
        peak=ruling.peak,
        k_end=ruling.k_end,
        msd=tuple(ruling.msd.tolist()),
        theta=ruling.theta,
        layers=layers,
        chosen_by=chosen_by,
        rule_layers=ruling.layers,
        stability=_stability(resampled, len(ruling.msd)),
        resamples=len(resampled),
        alternatives=alternatives(activated, tokens, english, config),
    )
    if not layers:
        raise NothingSelected(f"{_why_nothing(result, config)}\n\n{alternatives_table(result.alternatives)}", result)
    return result


def check_layers(config: SelectionConfig, count: int) -> None:
    """Raise InputError if a model of `count` layers lacks one that the configuration names."""
    beyond = [layer for layer in config.layers or () if layer >= count]
    if beyond:
        raise InputError(f"selection.layers: there is no layer {beyond[0]}; the model has layers 0 to {count - 1}")
    if config.first is not None and config.first > count:
        raise InputError(f"selection.first: there are no {config.first} layers; the model has {count}")


def _by_language(languages: Sequence[str], values: Floats) -> dict[str, tuple[float, ...]]:
    return {code: tuple(row) for code, row in zip(languages, values.tolist(), strict=True)}


def _stability(resampled: Sequence[Sequence[int]], layers: int) -> tuple[float, ...]:
    if not resampled:
        return ()
    return tuple(sum(layer in selected for selected in resampled) / len(resampled) for layer in range(layers))


def _chosen(ruling: Ruling, config: SelectionConfig) -> tuple[tuple[int, ...], ChosenBy]:
    """The layers to tune: the rule's, or what the configuration says instead (the ablations of Figure 4)."""
    count = len(ruling.msd)
    check_layers(config, count)
    if config.layers is not None:
        return tuple(sorted(set(config.layers))), "config"
    if config.first is not None:
        return tuple(range(config.first)), "first"
    if config.random_seed is not None:
        drawn = np.random.default_rng(config.random_seed).choice(count, len(ruling.layers), replace=False)
        return tuple(sorted(drawn.tolist())), "random"
    return (tuple(range(count)), "all") if config.all_layers else (ruling.layers, "rule")


def _why_nothing(result: SelectResult, config: SelectionConfig) -> str:
    """Why the rule selects no layer, and the options that change that."""
    count, k_end = len(result.msd), result.k_end
    typed = "type the layers (selection.layers)"
    if result.peak is None:
        return (
            f"no layer is selected: the rule needs a model of at least {FEWEST_LAYERS_OF_K + 1} layers, this one has"
            f" {count}; {typed}"
        )
    if config.max_layer_share is not None and k_end < min(result.peak, FEWEST_LAYERS_OF_K):
        return (
            f"no layer is selected: max_layer_share {config.max_layer_share:g} of {count} layers leaves"
            f" {'no language-specific layer' if k_end == 0 else 'one, whose MSD cannot exceed its own mean'}; raise it"
        )
    assert result.theta is not None
    largest = max(range(k_end), key=lambda layer: result.msd[layer])
    said = f"; {result.where_highest}" if result.where_highest else ""
    return (
        f"no layer is selected: of the language-specific layers 0 to {k_end - 1} none has an MSD above the threshold"
        f" {result.theta:.2e} (the largest is {result.msd[largest]:.2e}, in layer {largest}){said}; lower theta_factor"
        f" (now {config.theta_factor:g}), try another overlap (now {config.overlap}; jaccard, coverage or english) or"
        f" neuron_share (now {config.neuron_share:g}), or {typed}"
    )

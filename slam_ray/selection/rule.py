"""The rule as pure functions of counts: overlap with English bounds the layers K, the MSD over K selects (Eq. 3-7).

N languages, English among them; L layers. `english` is the index of English among the languages.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slam_ray.config import SelectionConfig

Integers = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]
# Values this close count as equal, so that rounding does not decide a tie.
TIE = 1e-12
# An empty K selects nothing, nor does a K of one layer, whose MSD cannot exceed its own mean.
FEWEST_LAYERS_OF_K = 2


@dataclass(frozen=True)
class Ruling:
    """What the rule selects, and all that it computes on the way.

    Attributes:
        mean_overlap: [L], over the languages other than English.
        highest: the layer where it is highest; of several such layers the lowest.
        peak: the same among the layers from 2 on, which ends the language-specific layers; None without such layers.
        k_end: one past the last of the language-specific layers, which are K = 0 .. k_end - 1.
        msd: [L], population variance of the activated share over all languages (Eq. 6).
        theta: the threshold, the mean MSD over K times `theta_factor` (Eq. 7); None for an empty K.
        layers: those of K whose MSD exceeds theta.
    """

    mean_overlap: Floats
    highest: int
    peak: int | None
    k_end: int
    msd: Floats
    theta: float | None
    layers: tuple[int, ...]


def activated_share(activated: Integers, tokens: Integers) -> Floats:
    """Mean over counted tokens of the activated neurons of a layer over all its neurons, [N, L] (Eq. 3-4).

    Args:
        activated: [N, L, neurons], the tokens at which a neuron was activated.
        tokens: [N], the tokens counted.
    """
    sums = activated.sum(axis=2, dtype=np.int64)
    share: Floats = sums / (tokens.astype(np.int64)[:, None] * activated.shape[2])
    return share


def overlap_with_english(activated: Integers, tokens: Integers, english: int, config: SelectionConfig) -> Floats:
    """Overlap of each other language's set of neurons with that of English, [N - 1, L].

    The set S of a language and layer holds the neurons activated at more than `neuron_share` of its tokens. The
    overlap is |S and S_en| over |S or S_en| (jaccard), |S| (coverage) or |S_en| (english); 0 where that is empty.
    Arguments as for `activated_share`.
    """
    member = activated / tokens[:, None, None] > config.neuron_share
    others, english_set = np.delete(member, english, axis=0), member[english]
    common = (others & english_set).sum(axis=2)
    match config.overlap:
        case "jaccard":
            over = (others | english_set).sum(axis=2)
        case "coverage":
            over = others.sum(axis=2)
        case "english":
            over = np.broadcast_to(english_set.sum(axis=1), common.shape)
    return np.divide(common, over, out=np.zeros(common.shape), where=over > 0)


def apply_rule(share: Floats, overlap: Floats, config: SelectionConfig) -> Ruling:
    """Select the layers.

    The paper's K ends before the layer of the highest mean overlap. Where that is layer 0 or 1 the paper's rule can
    select nothing, whatever the counts are, so here the maximum is taken over the layers from 2 on. K depends on the
    overlap alone: `theta_factor` does not change it.

    Args:
        share: [N, L] activated share of all languages.
        overlap: [N - 1, L] overlap of the others with English.
        config: `theta_factor` and `max_layer_share` are read here.
    """
    mean_overlap = overlap.mean(axis=0)
    highest = _highest(mean_overlap)
    later = mean_overlap[FEWEST_LAYERS_OF_K:]
    peak = FEWEST_LAYERS_OF_K + _highest(later) if later.size else None
    k_end = peak or 0
    if config.max_layer_share is not None:
        k_end = min(k_end, math.floor(config.max_layer_share * len(mean_overlap) + TIE))
    msd = share.var(axis=0)
    if k_end == 0:
        return Ruling(mean_overlap, highest, peak, k_end, msd, None, ())
    theta = float(msd[:k_end].mean()) * config.theta_factor
    layers = tuple(layer for layer in range(k_end) if msd[layer] > theta * (1 + TIE))
    return Ruling(mean_overlap, highest, peak, k_end, msd, theta, layers)


def _highest(values: Floats) -> int:
    return int(np.argmax(values >= values.max() - TIE))


def resampled_layers(
    activated: Integers, tokens: Integers, english: int, config: SelectionConfig
) -> list[tuple[int, ...]]:
    """What the rule selects without one of the languages other than English, or without one group of questions.

    Args:
        activated: [groups, N, L, neurons].
        tokens: [groups, N].
        english: index of English.
        config: the rule's options.

    Returns:
        The selected layers of each resample. A single group, or a single language beside English, gives none.
    """
    all_activated, all_tokens = activated.sum(axis=0, dtype=np.int64), tokens.sum(axis=0, dtype=np.int64)
    selected = []
    others = [index for index in range(len(all_tokens)) if index != english]
    if len(others) > 1:
        share = activated_share(all_activated, all_tokens)
        overlap = overlap_with_english(all_activated, all_tokens, english, config)
        for row, index in enumerate(others):
            ruling = apply_rule(np.delete(share, index, axis=0), np.delete(overlap, row, axis=0), config)
            selected.append(ruling.layers)
    if len(activated) > 1:
        for group in range(len(activated)):
            rest, rest_tokens = all_activated - activated[group], all_tokens - tokens[group]
            share = activated_share(rest, rest_tokens)
            selected.append(apply_rule(share, overlap_with_english(rest, rest_tokens, english, config), config).layers)
    return selected

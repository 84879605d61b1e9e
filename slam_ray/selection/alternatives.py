"""What the rule would select with other overlaps and neuron shares; it costs nothing, as the neurons are counted."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import get_args

from pydantic import BaseModel

from slam_ray.config import SelectionConfig
from slam_ray.config.schema import Overlap
from slam_ray.selection.rule import Integers, activated_share, apply_rule, overlap_with_english
from slam_ray.terminal.table import aligned

NEURON_SHARES = (0.3, 0.5, 0.7)


class Alternative(BaseModel):
    """The layers that the rule selects with one overlap and neuron share; the last four fields are those of `Ruling`.

    Attributes:
        configured: whether the configuration names this overlap and neuron share.
    """

    overlap: Overlap
    neuron_share: float
    configured: bool
    highest: int
    peak: int | None
    k_end: int
    layers: tuple[int, ...]


def alternatives(
    activated: Integers, tokens: Integers, english: int, config: SelectionConfig
) -> tuple[Alternative, ...]:
    """Apply the rule with each overlap and each neuron share of `NEURON_SHARES` and of the configuration.

    Args:
        activated: [N, L, neurons].
        tokens: [N].
        english: index of English.
        config: the rule's other options.
    """
    share = activated_share(activated, tokens)
    results = []
    for overlap in get_args(Overlap):
        for neuron_share in sorted({*NEURON_SHARES, config.neuron_share}):
            changed = config.model_copy(update={"overlap": overlap, "neuron_share": neuron_share})
            ruling = apply_rule(share, overlap_with_english(activated, tokens, english, changed), changed)
            results.append(
                Alternative(
                    overlap=overlap,
                    neuron_share=neuron_share,
                    configured=changed == config,
                    highest=ruling.highest,
                    peak=ruling.peak,
                    k_end=ruling.k_end,
                    layers=ruling.layers,
                )
            )
    return tuple(results)


def alternatives_table(alternatives: Iterable[Alternative]) -> str:
    """A line for each alternative, under a title and a heading."""
    rows: list[Sequence[str]] = [("overlap", "neuron_share", "highest in", "from 2 on", "K", "selects")]
    rows += [
        (
            one.overlap,
            f"{one.neuron_share:g}{'*' if one.configured else ' '}",
            f"{one.highest}",
            "-" if one.peak is None else f"{one.peak}",
            layer_ranges(range(one.k_end)),
            layer_ranges(one.layers),
        )
        for one in alternatives
    ]
    title = "what the rule selects by overlap and neuron_share (* as configured)"
    return "\n".join([title, *aligned(rows, left=(0, 4, 5))])


def layer_ranges(layers: Iterable[int]) -> str:
    """Ascending layers as ranges, e.g. "0-4 7", or "none"."""
    runs = [[layer for _, layer in run] for _, run in groupby(enumerate(layers), lambda item: item[1] - item[0])]
    return " ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs) or "none"

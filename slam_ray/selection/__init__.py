"""Which layers handle the input language? The paper's rule on activation counts (sections 3.1 and 3.2); numpy only."""

from slam_ray.selection.alternatives import alternatives_table, layer_ranges
from slam_ray.selection.step import SELECTION_FILE, NothingSelected, SelectResult, check_layers, select, select_step

__all__ = [
    "SELECTION_FILE",
    "NothingSelected",
    "SelectResult",
    "alternatives_table",
    "check_layers",
    "layer_ranges",
    "select",
    "select_step",
]

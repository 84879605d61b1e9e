"""Which layers handle the input language? The paper's rule on activation counts (sections 3.1 and 3.2); numpy only."""

from slam_ray.selection.step import SELECTION_FILE, SelectResult, select, select_step

__all__ = ["SELECTION_FILE", "SelectResult", "select", "select_step"]

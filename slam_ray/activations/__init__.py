"""Which neurons fire? Counting activated neurons per language and layer, a Ray Data job (section 3.1)."""

from slam_ray.activations.counting import CountResult, count_step, sample_step
from slam_ray.activations.counts import COUNTS_FILE, Counts, read_counts, write_counts
from slam_ray.activations.plan import Answers
from slam_ray.activations.states import StatesResult, read_map, states_step

__all__ = [
    "COUNTS_FILE",
    "Answers",
    "CountResult",
    "Counts",
    "StatesResult",
    "count_step",
    "read_counts",
    "read_map",
    "sample_step",
    "states_step",
    "write_counts",
]

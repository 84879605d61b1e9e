"""Which neurons fire? Counting activated neurons per language and layer, a Ray Data job (section 3.1)."""

from slam_ray.activations.counting import CountResult, count_step
from slam_ray.activations.counts import COUNTS_FILE, Counts, read_counts, write_counts

__all__ = ["COUNTS_FILE", "CountResult", "Counts", "count_step", "read_counts", "write_counts"]

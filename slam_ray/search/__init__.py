"""Which selection is best for a model, and at what cost? Ray Tune over the ordinary steps."""

from slam_ray.search.directory import SearchDirectory
from slam_ray.search.search import search
from slam_ray.search.shared import shared_steps
from slam_ray.search.space import read_space

__all__ = ["SearchDirectory", "read_space", "search", "shared_steps"]

"""Which selection is best for a model, and at what cost? Ray Tune over the ordinary steps."""

from slam_ray.search.directory import SearchDirectory
from slam_ray.search.result import search_table
from slam_ray.search.search import search, shared_stages
from slam_ray.search.space import read_space

__all__ = [
    "SearchDirectory",
    "read_space",
    "search",
    "search_table",
    "shared_stages",
]

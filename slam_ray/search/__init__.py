"""Which selection is best for a model, and at what cost? Ray Tune over the ordinary steps."""

from slam_ray.search.directory import BEST, SearchDirectory
from slam_ray.search.result import SearchResult, search_table
from slam_ray.search.search import search, shared_stages, text_stages
from slam_ray.search.space import read_space

__all__ = [
    "BEST",
    "SearchDirectory",
    "SearchResult",
    "read_space",
    "search",
    "search_table",
    "shared_stages",
    "text_stages",
]

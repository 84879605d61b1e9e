"""Where the published corpora lie on this machine, for the tests that read them as they are."""

import os
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"
PUBLISHED = Path(os.environ.get("SLAM_RAY_DATA") or Path(__file__).parents[2] / "shared" / "data")
needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason="SLAM_RAY_DATA names no folder of published corpora"
)

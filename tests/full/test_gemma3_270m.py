"""SLAM on a real multilingual model, Gemma 3 270M: the smallest check that numbers on real weights are right."""

from pathlib import Path

import pytest

from tests.real.checkpoints import GEMMA3, checkpoint
from tests.real.slam_run import everything_is_right


@pytest.mark.timeout(1200)
def test_slam_on_gemma_3_270m(tmp_path: Path) -> None:
    everything_is_right(checkpoint(GEMMA3), tmp_path)

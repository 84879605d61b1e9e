"""SLAM on a second real model, SmolLM2-135M, which is English above all: `make test-real`, not part of the gate."""

from pathlib import Path

import pytest

from tests.real.checkpoints import SMOLLM2, checkpoint
from tests.real.slam_run import everything_is_right


@pytest.mark.timeout(1200)
def test_slam_on_smollm2_135m(tmp_path: Path) -> None:
    everything_is_right(checkpoint(SMOLLM2), tmp_path)

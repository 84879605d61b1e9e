"""DeepSpeed's ZeRO-2 against one plain process with float32 masters: gradients are summed and reduced in float32."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The largest relative differences by reference; that of the masters is in parts of their update. In bfloat16 a text's
# states depend on how it is packed.
BOUNDS = {
    ("float32", "same rows"): {"loss": 1e-6, "gradient norm": 1e-6, "masters": 1e-5},
    ("float32", "one by one"): {"loss": 1e-6, "gradient norm": 1e-6, "masters": 1e-4},
    ("bfloat16", "same rows"): {"loss": 1e-6, "gradient norm": 2e-6, "masters": 2e-6},
    ("bfloat16", "one by one"): {"loss": 1e-4, "gradient norm": 1e-2, "masters": 0.1},
}


@pytest.mark.parametrize(("dtype", "workers"), [("float32", 2), ("bfloat16", 2)])
def test_the_first_steps_are_those_of_a_plain_process(dtype: str, workers: int) -> None:
    command = [sys.executable, "-m", "benchmarks.zero2", "--dtype", dtype, "--workers", str(workers)]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = json.loads(printed.splitlines()[-1])
    assert {case.split(", ")[0] for case in found} == {"few", "many"}, "both ways of reducing gradients"
    for case, differences in found.items():
        bounds = BOUNDS[dtype, case.split(", ")[1]]
        assert {what: value for what, value in differences.items() if not value <= bounds[what]} == {}, case

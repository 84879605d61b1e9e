"""`slam-ray artifacts` from a checkout, as `ray job submit` starts it; slam_ray need not be installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from slam_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["artifacts", *sys.argv[1:]]))

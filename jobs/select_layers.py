"""Select layers from a counts file alone, without running a model.

The file holds `languages` [N], `activated` [N, layers, neurons] (the tokens at which a neuron was activated) and
`tokens` [N] (the tokens counted), both with groups in front or without. The last line printed is one JSON object.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from pydantic import ValidationError

from slam_ray.activations import read_counts
from slam_ray.config import InputError, SelectionConfig, job, path_of
from slam_ray.reporting.figures import activated_share_figure, overlap_figure
from slam_ray.selection import SelectResult, select

OPTIONS = ("overlap", "neuron_share", "theta_factor", "max_layer_share")


@job
def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("jobs/select_layers.py", description=__doc__)
    parser.add_argument("counts", metavar="COUNTS.npz")
    for name in OPTIONS:
        field = SelectionConfig.model_fields[name]
        option, text = f"--{name.replace('_', '-')}", f"{field.description} [{field.default}]"
        parser.add_argument(option, default=field.default, help=text)
    parser.add_argument("--figures", metavar="DIR", help="Draw the paper's Figures 2 and 3 into this folder.")
    given = parser.parse_args(argv)
    try:
        config = SelectionConfig.model_validate({name: getattr(given, name) for name in OPTIONS})
    except ValidationError as error:
        problem = error.errors()[0]
        option = str(problem["loc"][0]).replace("_", "-")
        raise InputError(f"--{option}: {problem['msg']}, got {problem['input']!r}") from None
    result = select(read_counts(path_of(given.counts, "COUNTS.npz")), config)
    if given.figures is not None:
        draw(result, path_of(given.figures, "--figures"))
    print(result.model_dump_json())
    return 0


def draw(result: SelectResult, folder: Path) -> None:
    """Figures 2 and 3 as PNG files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--figures: {folder} is no folder and cannot be made one: {error.strerror}") from None
    overlap = list(result.overlap.values())
    activated_share_figure(list(result.share), list(result.share.values())).savefig(folder / "activated_share.png")
    figure = overlap_figure(list(result.overlap), overlap, result.mean_overlap, result.k_end, result.layers)
    figure.savefig(folder / "overlap.png")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Select layers from a counts file alone, without running a model.

The file holds `languages` [N], `activated` [N, layers, neurons] (the tokens at which a neuron was activated) and
`tokens` [N] (the tokens counted), both with groups in front or without. It prints what the rule selects with other
overlaps and neuron shares too; the last line printed is one JSON object.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from pydantic import ValidationError

from slam_ray.activations import read_counts
from slam_ray.config import InputError, SelectionConfig, job, path_of
from slam_ray.reporting.selection import draw_selection
from slam_ray.selection import NothingSelected, SelectResult, alternatives_table, select

OPTIONS = ("overlap", "neuron_share", "theta_factor", "max_layer_share")


@job
def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("jobs/select_layers.py", description=__doc__)
    parser.add_argument("counts", metavar="COUNTS.npz")
    for name in OPTIONS:
        field = SelectionConfig.model_fields[name]
        option, text = f"--{name.replace('_', '-')}", f"{field.description} [{field.default}]"
        parser.add_argument(option, default=field.default, help=text)
    parser.add_argument(
        "--figures", metavar="DIR", help="Draw the paper's Figures 2 and 3 and the MSD into this folder."
    )
    given = parser.parse_args(argv)
    try:
        config = SelectionConfig.model_validate({name: getattr(given, name) for name in OPTIONS})
    except ValidationError as error:
        problem = error.errors()[0]
        option = str(problem["loc"][0]).replace("_", "-")
        raise InputError(f"--{option}: {problem['msg']}, got {problem['input']!r}") from None
    counts = read_counts(path_of(given.counts, "COUNTS.npz"))
    figures = None if given.figures is None else folder_of(path_of(given.figures, "--figures"))
    try:
        result = select(counts, config)
    except NothingSelected as nothing:
        draw(nothing.result, figures)
        raise
    draw(result, figures)
    print(f"{alternatives_table(result.alternatives)}\n")
    if result.where_highest:
        print(f"{result.where_highest}\n")
    print(result.model_dump_json())
    return 0


def folder_of(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--figures: {path} is no folder and cannot be made one: {error.strerror}") from None
    return path


def draw(result: SelectResult, folder: Path | None) -> None:
    if folder is not None:
        draw_selection(result, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

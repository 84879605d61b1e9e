"""Select layers from a counts file alone, without running a model.

The file holds `languages` [N], `activated` [N, layers, neurons] (the tokens at which a neuron was activated) and
`tokens` [N] (the tokens counted), both with groups in front or without. It prints what the rule selects with other
overlaps and neuron shares too; the last line printed is one JSON object.
"""

from collections.abc import Sequence

from pydantic import ValidationError

from slam_ray.cli.arguments import Parser
from slam_ray.config import InputError, SelectionConfig, path_of

OPTIONS = ("overlap", "neuron_share", "theta_factor", "max_layer_share")


def main(argv: Sequence[str]) -> int:
    """Print what is selected, and draw it if a folder is given."""
    parser = Parser("slam-ray select", __doc__)
    parser.add_argument("counts", metavar="COUNTS.npz")
    for name in OPTIONS:
        field = SelectionConfig.model_fields[name]
        text = f"{field.description} [{field.default}]"
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", default=field.default, help=text)
    parser.add_argument("--figures", metavar="DIR", help="draw the paper's Figures 2 and 3 and the MSD into it")
    given = parser.parse_args(argv)
    try:
        config = SelectionConfig.model_validate({name: getattr(given, name) for name in OPTIONS})
    except ValidationError as error:
        problem = error.errors()[0]
        option = str(problem["loc"][0]).replace("_", "-")
        raise InputError(f"--{option}: {problem['msg']}, got {problem['input']!r}") from None
    from slam_ray.activations import read_counts
    from slam_ray.reporting.selection import draw_selection
    from slam_ray.selection import NothingSelected, alternatives_table, select

    counts = read_counts(path_of(given.counts, "COUNTS.npz"))
    folder = None if given.figures is None else path_of(given.figures, "--figures")
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--figures: {folder} is no folder and cannot be made one: {error.strerror}") from None
    try:
        result = select(counts, config)
    except NothingSelected as nothing:
        if folder is not None:
            draw_selection(nothing.result, folder)
        raise
    if folder is not None:
        draw_selection(result, folder)
    print(f"{alternatives_table(result.alternatives)}\n")
    if result.where_highest:
        print(f"{result.where_highest}\n")
    print(result.model_dump_json())
    return 0

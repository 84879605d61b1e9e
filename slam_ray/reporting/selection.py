"""The figures of a selection as files, also of one that selects nothing."""

from pathlib import Path
from tempfile import TemporaryDirectory

from slam_ray.reporting.figures import activated_share_figure, msd_figure, overlap_figure
from slam_ray.selection import SelectResult
from slam_ray.store.location import Location
from slam_ray.store.runs import Run


def draw_selection(selection: SelectResult, folder: Path, prefix: str = "") -> list[Path]:
    """Draw Figures 2 and 3 and the MSD as PNG files, whose names begin with `prefix`, into a folder."""
    overlap = list(selection.overlap.values())
    figures = {
        "activated_share": activated_share_figure(list(selection.share), list(selection.share.values())),
        "overlap": overlap_figure(
            list(selection.overlap), overlap, selection.mean_overlap, selection.k_end, selection.layers
        ),
        "msd": msd_figure(selection.msd, selection.theta, selection.k_end, selection.layers),
    }
    files = []
    for name, figure in figures.items():
        files.append(folder / f"{prefix}{name}.png")
        figure.savefig(files[-1])
    return files


def keep_figures(nothing: SelectResult, run: Run) -> list[Location]:
    """Draw a selection without layers into the run's folder, under names that a finished run does not use."""
    with TemporaryDirectory() as folder:
        return [run.keep(file) for file in draw_selection(nothing, Path(folder), "nothing_selected_")]

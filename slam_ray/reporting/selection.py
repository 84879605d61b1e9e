"""The figures of a selection as files, also of one that selects nothing."""

from pathlib import Path
from tempfile import TemporaryDirectory

from slam_ray.pipeline.location import Location
from slam_ray.pipeline.runs import Run
from slam_ray.reporting.figures import activated_share_figure, msd_figure, overlap_figure
from slam_ray.selection import SelectResult


def draw_selection(found: SelectResult, folder: Path, prefix: str = "") -> list[Path]:
    """Draw Figures 2 and 3 and the MSD as PNG files into a folder; returns the files, whose names begin so."""
    overlap = list(found.overlap.values())
    figures = {
        "activated_share": activated_share_figure(list(found.share), list(found.share.values())),
        "overlap": overlap_figure(list(found.overlap), overlap, found.mean_overlap, found.k_end, found.layers),
        "msd": msd_figure(found.msd, found.theta, found.k_end, found.layers),
    }
    files = []
    for name, figure in figures.items():
        files.append(folder / f"{prefix}{name}.png")
        figure.savefig(files[-1])
    return files


def keep_figures(nothing: SelectResult, run: Run) -> list[Location]:
    """Draw what selects nothing into the run's folder, under names that a later, finished run does not give."""
    with TemporaryDirectory() as folder:
        return [run.keep(file) for file in draw_selection(nothing, Path(folder), "nothing_selected_")]

"""The table of the last figures in README.md, from baselines/: `python -m benchmarks.table` writes it anew."""

import re
from pathlib import Path

from benchmarks.measurement import BASELINES, Baselines, Comparison, Figures, Side

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- figures: python -m benchmarks.table -->", "<!-- end of figures -->"
HEADER = (
    "| what | ours | against | ratio | wanted | tokens/s | share of peak | peak memory, GiB |\n"
    "|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    README.write_text(with_table(README.read_text()))


def with_table(text: str) -> str:
    """The text with the present figures between its two marks."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    assert pattern.search(text), "README.md has lost the marks around its figures"
    return pattern.sub(lambda _: f"{BEGIN}\n{figures_of_all_machines()}\n{END}", text)


def figures_of_all_machines(folder: Path = BASELINES) -> str:
    """A section for each machine: what it is, what was measured and when, the table."""
    sections = []
    for file in sorted(folder.glob("*.json")):
        figures = Baselines.model_validate_json(file.read_text()).figures
        machine = next(iter(figures.values())).machine
        lines = [
            f"### {machine.cpu}, {machine.cores} cores ({', '.join(machine.features)}), {machine.memory_gib} GiB,"
            f" torch {machine.torch}\n",
            *(f"- {_about(each)}" for each in figures.values()),
            f"\n{HEADER}",
            *(_row(name, each, comparison) for name, each in figures.items() for comparison in each.comparisons),
        ]
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def _about(figures: Figures) -> str:
    peak = f"; peak {figures.peak / 1e9:.0f} GFLOP/s" if figures.peak else ""
    return f"{figures.benchmark} ({figures.date}): {figures.work}{peak}"


def _row(name: str, figures: Figures, comparison: Comparison) -> str:
    ours, peer = comparison.ours, comparison.peer
    wanted = ""
    if comparison.at_least is not None:
        wanted = f"at least {comparison.at_least:g}"
    if comparison.at_most is not None:
        wanted = f"at most {comparison.at_most:g}"
    cells = [
        f"{name}, {figures.unit}",
        _named(ours),
        _named(peer),
        f"{comparison.ratio:.2f}",
        wanted,
        _both(ours, peer, "tokens_per_second", ".0f"),
        _both(ours, peer, "share_of_peak", ".0%"),
        _both(ours, peer, "peak_memory_gib", ".1f"),
    ]
    return f"| {' | '.join(cells)} |"


def _named(side: Side) -> str:
    name = "" if side.name == "ours" else f"{side.name}: "
    return f"{name}{side.median:,.0f}" if side.median >= 1000 else f"{name}{side.median:.3g}"


def _both(ours: Side, peer: Side, figure: str, form: str) -> str:
    """Ours / the peer's, where they were measured."""
    values = [getattr(side, figure) for side in (ours, peer)]
    return " / ".join(f"{value:{form}}" if value else "-" for value in values) if any(values) else ""


if __name__ == "__main__":
    main()

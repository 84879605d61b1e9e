"""The plain-text table that a job ends with: accuracy per language before and after, and what was tuned."""

from collections.abc import Sequence

from slam_ray.reporting.findings import Benchmark, Findings, Interval, LanguageChange

SIGNIFICANT_P = 0.05


def accuracy_table(findings: Findings) -> str:
    """All benchmarks of a run as text of at most 80 columns, ASCII but for what the data brings along."""
    blocks = [_benchmark(benchmark) for benchmark in findings.benchmarks]
    if findings.limit is not None:
        blocks.insert(0, f"SMOKE RUN on the first {findings.limit} questions, pairs and problems: not a result")
    tuning = findings.tuning
    blocks.append(
        f"tuned: {findings.layers.names} of {len(findings.layers.msd)} (from 0), {findings.layers.chosen_by};"
        f" {100 * tuning.trained_share:.2f} % of the parameters"
    )
    return "\n\n".join(blocks)


def _benchmark(benchmark: Benchmark) -> str:
    rows = [("language", "before", "95 %", "after", "95 %", "change", "PCR before", "after")]
    rows += [_row(change) for change in benchmark.languages]
    rows += [
        (average.languages, f"{average.before:.1f}", "", f"{average.after:.1f}", "", f"{average.change.value:+.1f} ")
        + ("", "")
        for average in benchmark.averages
    ]
    head = benchmark.headline
    return "\n".join(
        [
            f"{benchmark.name}: accuracy in percent, {benchmark.problems} problems a language",
            *_aligned(rows),
            f"* McNemar p < {SIGNIFICANT_P}",
            f"{head.languages}: {head.change.value:+.1f} points"
            f" [{head.change.low:+.1f}, {head.change.high:+.1f}], {head.change.verdict}",
        ]
    )


def _row(change: LanguageChange) -> tuple[str, ...]:
    before, after = change.before, change.after
    mark = "*" if change.mcnemar < SIGNIFICANT_P else " "
    return (
        change.language,
        f"{before.accuracy.value:.1f}",
        _ends(before.accuracy),
        f"{after.accuracy.value:.1f}",
        _ends(after.accuracy),
        f"{change.change:+.1f}{mark}",
        _percent(before.pcr),
        _percent(after.pcr),
    )


def _ends(interval: Interval) -> str:
    return f"[{interval.low:4.1f}, {interval.high:5.1f}]"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]

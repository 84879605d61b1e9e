"""The plain-text tables that a run ends with: accuracy per language, before and after tuning or of one model."""

from collections.abc import Sequence

from slam_ray.evaluation.accuracy import LanguageScore, Scores
from slam_ray.reporting.findings import BenchmarkFindings, Findings, LanguageRow, most_written, problems_per_language
from slam_ray.terminal.table import aligned

SIGNIFICANT_P = 0.05


def accuracy_table(findings: Findings) -> str:
    """All benchmarks of a run as text; a table is at most 80 columns wide."""
    blocks = [_benchmark(benchmark) for benchmark in findings.benchmarks]
    if findings.limit is not None:
        blocks.insert(0, f"SMOKE RUN on the first {findings.limit} questions, pairs and problems: not a result")
    share = 100 * findings.training.trained_share
    blocks.append(f"tuned: {findings.tuned}{_where_highest(findings)}\ntrained share: {share:.2f} % of the parameters")
    if findings.english is not None:
        before, after = findings.english
        blocks.append(f"English text: loss {before.loss:.3f} before, {after.loss:.3f} after, in nats a token")
    return "\n\n".join(blocks)


def scores_table(name: str, scores: Scores) -> str:
    """One model on one benchmark, at most 80 columns wide; "none": no answer was found by the first extractor."""
    headline, other = scores.extractors.values()
    rows: list[Sequence[str]] = [
        ("language", scores.names[0], "95 %", "PCR", scores.names[1], "none", "cut", "written in")
    ]
    for code, score in headline.languages.items():
        language, share = most_written(scores, code)
        first = (code, f"{score.accuracy:.1f}", _ends(score), _percent(score.pcr))
        more = (f"{other.languages[code].accuracy:.1f}", f"{score.unanswered:.1f}", f"{scores.cut[code]:.1f}")
        rows.append((*first, *more, f"{language} {share:.0f}"))
    for title, mean, by_other in (
        ("average", headline.avg, other.avg),
        ("non-en", headline.avg_non_en, other.avg_non_en),
    ):
        rows.append((title, _percent(mean), "", "", _percent(by_other), "", "", ""))
    title = f"{name}: accuracy in percent, {problems_per_language(headline)} problems a language"
    return "\n".join([title, *aligned(rows)])


def points(value: float) -> str:
    """A difference in points with its sign; what rounds to nothing is +0.0."""
    return f"{round(value, 1) + 0.0:+.1f}"


def _benchmark(benchmark: BenchmarkFindings) -> str:
    rows: list[Sequence[str]] = [("language", "before", "95 %", "after", "95 %", "change", "PCR before", "after")]
    rows += [_row(row) for row in benchmark.languages]
    rows += [
        (
            "average" if average.english else "non-English",
            *(f"{average.before:.1f}", "", f"{average.after:.1f}", "", f"{points(average.change.difference)} ", "", ""),
        )
        for average in benchmark.averages
    ]
    head = benchmark.headline
    change = head.change
    return "\n".join(
        [
            f"{benchmark.name}: accuracy in percent, {benchmark.problems} problems a language",
            *aligned(rows),
            ", ".join(filter(None, [f"* McNemar p < {SIGNIFICANT_P}", benchmark.correction])),
            f"{head.name}: {points(change.difference)} points"
            f" [{points(change.low)}, {points(change.high)}], {head.verdict}",
            "",
            *aligned(_details(benchmark)),
        ]
    )


def _where_highest(findings: Findings) -> str:
    """A line that says where K ends for a reason that is not the paper's, if the rule decided the layers."""
    selection = findings.selection
    note = selection.chosen_by in ("rule", "random") and selection.where_highest
    return f"\n{note}" if note else ""


def _details(benchmark: BenchmarkFindings) -> list[Sequence[str]]:
    """Accuracy by the other extractor, responses without an answer, responses cut, the language of most responses."""
    rows: list[Sequence[str]] = [
        ("language", benchmark.extractors[1], "after", "none", "after", "cut", "after", "written in", "after")
    ]
    rows += [
        (
            row.language,
            *(f"{accuracy:.1f}" for accuracy in row.other),
            *(f"{score.unanswered:.1f}" for score in (row.before, row.after)),
            *(f"{share:.1f}" for share in row.cut),
            *(f"{code} {share:.0f}" for code, share in row.written),
        )
        for row in benchmark.languages
    ]
    return rows


def _row(row: LanguageRow) -> tuple[str, ...]:
    mark = "*" if row.change.p_holm < SIGNIFICANT_P else " "
    return (
        row.language,
        f"{row.before.accuracy:.1f}",
        _ends(row.before),
        f"{row.after.accuracy:.1f}",
        _ends(row.after),
        f"{points(row.change.difference)}{mark}",
        _percent(row.before.pcr),
        _percent(row.after.pcr),
    )


def _ends(score: LanguageScore) -> str:
    return f"{score.low:.1f}-{score.high:.1f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"

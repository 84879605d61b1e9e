"""The report step: gather the results of a run's other steps, and draw the page and the table."""

import operator
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from slam_ray.activations import StatesResult, read_map
from slam_ray.config import RunConfig, Section
from slam_ray.corpora import Prepared
from slam_ray.corpora.languages import Languages
from slam_ray.evaluation import Comparison, EnglishLoss, Scores
from slam_ray.reporting.findings import BenchmarkFindings, Findings, StateMap, StepRecord
from slam_ray.selection import SelectResult
from slam_ray.store.step import Attempt, Step, steps_to
from slam_ray.training import TrainResult, read_losses

PAGE_FILE = "index.html"


class ReportConfig(Section):
    """What the page shows of the run besides the results of its steps.

    Attributes:
        names: of the languages that the configuration adds, by code.
    """

    run: str
    model: str
    limit: int | None
    projections: tuple[str, ...]
    names: dict[str, str] = Field(default_factory=dict, exclude_if=operator.not_)


class ReportResult(BaseModel):
    """The end of a run.

    Attributes:
        page: name of the artifact's page.
        table: accuracy per language as plain text, for the terminal.
    """

    page: str
    table: str


@dataclass(frozen=True)
class BenchmarkSteps:
    """The scores of one benchmark before and after tuning, and their comparison."""

    name: str
    before: Step[Scores]
    after: Step[Scores]
    comparison: Step[Comparison]


@dataclass(frozen=True)
class RunSteps:
    """The steps whose results a report shows.

    Attributes:
        pairs: the training texts.
        selection: the tuned layers.
        training: of these layers.
        benchmarks: the first one is the headline.
        english: the loss on English text before and after tuning, if it is measured.
        tuned_selection: shares and overlap of the tuned model, if it is counted.
        states: the map of hidden states before and, if the tuned model is counted, after tuning; empty without maps.
    """

    pairs: Step[Prepared]
    selection: Step[SelectResult]
    training: Step[TrainResult]
    benchmarks: Sequence[BenchmarkSteps]
    english: tuple[Step[EnglishLoss], Step[EnglishLoss]] | None = None
    tuned_selection: Step[SelectResult] | None = None
    states: Sequence[Step[StatesResult]] = ()

    def __iter__(self) -> Iterator[Step[Any]]:
        """All of them."""
        yield from (self.pairs, self.selection, self.training)
        for benchmark in self.benchmarks:
            yield from (benchmark.before, benchmark.after, benchmark.comparison)
        yield from (*(self.english or ()), *([self.tuned_selection] if self.tuned_selection else []), *self.states)


def report_step(config: RunConfig, steps: RunSteps) -> Step[ReportResult]:
    """Report on a run, in the driver; the artifact's file is `index.html`, which needs no other file.

    Args:
        config: the page shows its name, model, limit and trained projections.
        steps: the page shows their results, and names all steps that they rest on or wait for.
    """
    shown = ReportConfig(
        run=config.name,
        # Not the whole path: a submitted job runs in a copy of the folder, and its report is the same.
        model=config.model.name,
        limit=config.limit,
        projections=config.training.projections,
        names=Languages.of(config.corpora).added_names,
    )
    inputs = {step.label: step for step in steps_to(*steps)}

    def run(attempt: Attempt) -> ReportResult:
        from slam_ray.reporting.page import report_page
        from slam_ray.reporting.table import accuracy_table

        findings = _gather(shown, steps, inputs, attempt)
        (attempt.directory / PAGE_FILE).write_text(report_page(findings), encoding="utf-8")
        return ReportResult(page=PAGE_FILE, table=accuracy_table(findings))

    return Step("report", 3, shown, inputs, ReportResult, run)


def _gather(shown: ReportConfig, steps: RunSteps, inputs: dict[str, Step[Any]], attempt: Attempt) -> Findings:
    records = {label: attempt.artifacts.storage.record(attempt[step]) for label, step in inputs.items()}
    return Findings(
        run=shown.run,
        model=shown.model,
        made=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        limit=shown.limit,
        selection=attempt[steps.selection].result,
        projections=shown.projections,
        pairs=attempt[steps.pairs].result,
        training=attempt[steps.training].result,
        english=steps.english and (attempt[steps.english[0]].result, attempt[steps.english[1]].result),
        losses=tuple(read_losses(attempt[steps.training])),
        benchmarks=tuple(
            BenchmarkFindings(
                benchmark.name,
                attempt[benchmark.before].result,
                attempt[benchmark.after].result,
                attempt[benchmark.comparison].result,
            )
            for benchmark in steps.benchmarks
        ),
        steps=tuple(
            StepRecord(label, record["fingerprint"], record["started"], record["seconds"], record["config"])
            for label, record in records.items()
        ),
        versions=max(records.values(), key=lambda record: str(record["started"]))["versions"],
        tuned_selection=attempt[steps.tuned_selection].result if steps.tuned_selection else None,
        states=tuple(StateMap(attempt[step].result, read_map(attempt[step])) for step in steps.states),
        names=shown.names,
    )

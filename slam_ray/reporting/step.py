"""The report step: gather what the other steps of a run found, and draw the page and the table."""

import operator
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from slam_ray.activations import StatesResult, read_map
from slam_ray.config import RunConfig, Section
from slam_ray.corpora import Prepared
from slam_ray.corpora.languages import Languages
from slam_ray.evaluation import Comparison, EnglishLoss, Scores
from slam_ray.pipeline.step import Artifact, Attempt, Step
from slam_ray.pipeline.storage import Storage
from slam_ray.reporting.findings import Benchmark, Findings, StateMap, StepRecord
from slam_ray.selection import SelectResult
from slam_ray.training import TrainResult, read_losses

PAGE_FILE = "index.html"


class ReportConfig(Section):
    """What the page says of the run beside what its steps found.

    Attributes:
        names: of the languages that the configuration adds, by code.
    """

    run: str
    model: str
    limit: int | None
    projections: tuple[str, ...]
    names: dict[str, str] = Field(default_factory=dict, exclude_if=operator.not_)


class ReportResult(BaseModel):
    """What a run ends with.

    Attributes:
        page: name of the artifact's page.
        table: accuracy per language as plain text, for the terminal.
    """

    page: str
    table: str


@dataclass(frozen=True)
class BenchmarkArtifacts:
    """The scores of one benchmark before and after tuning, and their comparison."""

    name: str
    before: Artifact[Scores]
    after: Artifact[Scores]
    comparison: Artifact[Comparison]


@dataclass(frozen=True)
class RunArtifacts:
    """What a report is about.

    Attributes:
        pairs: what was trained on.
        selection: which layers were tuned.
        training: how.
        benchmarks: the first one is the headline.
        english: the loss on English text before and after, if it was measured.
        tuned_selection: shares and overlap of the tuned model, if it was counted.
        states: the map of hidden states before and perhaps after tuning, if there is one.
    """

    pairs: Artifact[Prepared]
    selection: Artifact[SelectResult]
    training: Artifact[TrainResult]
    benchmarks: Sequence[BenchmarkArtifacts]
    english: tuple[Artifact[EnglishLoss], Artifact[EnglishLoss]] | None = None
    tuned_selection: Artifact[SelectResult] | None = None
    states: Sequence[Artifact[StatesResult]] = ()


def report_step(run: RunConfig, artifacts: RunArtifacts, steps: Mapping[str, Artifact[Any]]) -> Step[ReportResult]:
    """Report on a run, in the driver; the artifact's file is `index.html`, which needs no other file.

    Args:
        run: its name, model, limit and trained projections are shown.
        artifacts: what it came to.
        steps: all that the run rests on, title -> artifact, in order; `artifacts` are among them.
    """
    # Not the whole path: a submitted job runs in a copy of the folder, and its report is the same.
    config = ReportConfig(
        run=run.name,
        model=run.model.name,
        limit=run.limit,
        projections=run.training.projections,
        names=Languages.of(run.corpora).added_names,
    )
    steps = dict(steps)  # the caller's may grow before this one runs

    def work(attempt: Attempt) -> ReportResult:
        from slam_ray.reporting.page import report_page
        from slam_ray.reporting.table import accuracy_table

        found = _gather(config, artifacts, steps, Storage.of(run))
        (attempt.directory / PAGE_FILE).write_text(report_page(found), encoding="utf-8")
        return ReportResult(page=PAGE_FILE, table=accuracy_table(found))

    return Step("report", 3, config, steps, ReportResult, work)


def _gather(
    config: ReportConfig, artifacts: RunArtifacts, steps: Mapping[str, Artifact[Any]], storage: Storage
) -> Findings:
    records = {title: storage.record(artifact) for title, artifact in steps.items()}
    english, tuned = artifacts.english, artifacts.tuned_selection
    return Findings(
        run=config.run,
        model=config.model,
        made=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        limit=config.limit,
        selection=artifacts.selection.result,
        projections=config.projections,
        pairs=artifacts.pairs.result,
        training=artifacts.training.result,
        english=english and (english[0].result, english[1].result),
        losses=tuple(read_losses(artifacts.training)),
        benchmarks=tuple(
            Benchmark(item.name, item.before.result, item.after.result, item.comparison.result)
            for item in artifacts.benchmarks
        ),
        steps=tuple(
            StepRecord(title, record["fingerprint"], record["started"], record["seconds"], record["config"])
            for title, record in records.items()
        ),
        versions=max(records.values(), key=lambda record: str(record["started"]))["versions"],
        tuned_selection=None if tuned is None else tuned.result,
        states=tuple(StateMap(item.result, read_map(item)) for item in artifacts.states),
        names=config.names,
    )

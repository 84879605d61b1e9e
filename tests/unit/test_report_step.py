"""The report step over real storage: what it reads from finished artifacts and what it leaves."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from slam_ray.config import CorporaConfig, ExecutionConfig, ModelConfig, RunConfig, Section
from slam_ray.evaluation import Comparison, EnglishLoss, Scores
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.step import Artifact, Attempt, Step
from slam_ray.pipeline.storage import Storage
from slam_ray.reporting import BenchmarkArtifacts, ReportResult, RunArtifacts, report_step
from slam_ray.selection import SelectResult
from slam_ray.training import TrainResult
from tests.unit.test_report import benchmark, findings
from tests.unit.test_report_page import Page


class Label(Section):
    label: str


def giving(name: str, label: str, result: BaseModel, files: dict[str, str] | None = None) -> Step[Any]:
    """A step that gives a known result, as a real one of this name would."""

    def work(attempt: Attempt) -> BaseModel:
        for file, text in (files or {}).items():
            (attempt.directory / file).write_text(text)
        return result

    return Step(name, 1, Label(label=label), {}, type(result), work)


def run_config(folder: Path, **changes: Any) -> RunConfig:
    corpora = CorporaConfig(questions="q.jsonl", pairs="p.jsonl", benchmarks={"arithmetic": "a.jsonl"})
    config = RunConfig(name="demo", storage=str(folder), model=ModelConfig(path="models/tiny"), corpora=corpora)
    return config.model_copy(update=changes)


def steps() -> dict[str, Step[Any]]:
    found, scored = findings(), benchmark()
    losses = "".join(line.model_dump_json() + "\n" for line in found.losses)
    return {
        "pairs": giving("pairs", "p", found.pairs),
        "select": giving("select", "s", found.selection),
        "train": giving("train", "t", found.training, {"loss.jsonl": losses}),
        "english loss base": giving("english-loss", "b", EnglishLoss(loss=2.0, tokens=9, texts=1)),
        "english loss tuned": giving("english-loss", "a", EnglishLoss(loss=2.125, tokens=9, texts=1)),
        "score base": giving("score", "before", scored.before),
        "score tuned": giving("score", "after", scored.after),
        "compare": giving("compare", "c", scored.comparison),
    }


def report(config: RunConfig, artifacts: dict[str, Artifact[Any]]) -> Step[ReportResult]:
    before: Artifact[Scores] = artifacts["score base"]
    comparison: Artifact[Comparison] = artifacts["compare"]
    selection: Artifact[SelectResult] = artifacts["select"]
    training: Artifact[TrainResult] = artifacts["train"]
    reported = RunArtifacts(
        pairs=artifacts["pairs"],
        selection=selection,
        training=training,
        benchmarks=[BenchmarkArtifacts("arithmetic", before, artifacts["score tuned"], comparison)],
        english=(artifacts["english loss base"], artifacts["english loss tuned"]),
    )
    return report_step(config, reported, artifacts)


def test_report_is_made_from_artifacts_and_found_again(tmp_path: Path) -> None:
    config = run_config(tmp_path, limit=7)
    storage = Storage.of(config)
    with Context(ExecutionConfig()) as context:
        artifacts = {title: storage.make(step, context) for title, step in steps().items()}
        made = storage.make(report(config, artifacts), context)
    assert storage.find(report(config, artifacts)) == made
    html = made.file(made.result.page).read_text(encoding="utf-8")
    text = Page(html).text
    assert all(artifact.fingerprint in text for artifact in artifacts.values())
    assert "SLAM on tiny" in text
    assert "Smoke run on the first 7 " in text
    assert "average without English: +" in made.result.table
    assert "loss 2.000 before, 2.125 after" in made.result.table
    assert list(made.files) == ["index.html"]


def test_identity_follows_what_is_shown_and_is_known_before_anything_is_made(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    planned = {title: storage.find(step) for title, step in steps().items()}
    identity = report(run_config(tmp_path), planned).fingerprint
    assert report(run_config(tmp_path / "elsewhere"), planned).fingerprint == identity
    assert report(run_config(tmp_path, name="other"), planned).fingerprint != identity
    assert report(run_config(tmp_path, limit=7), planned).fingerprint != identity


def test_building_the_step_loads_nothing_heavy() -> None:
    heavy = "{'matplotlib', 'jinja2', 'torch', 'ray', 'vllm'}"
    code = f"import sys, slam_ray.reporting, slam_ray.reporting.figures; sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"

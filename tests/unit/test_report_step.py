"""The report step over real storage: what it reads from finished artifacts and what it leaves."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from slam_ray.config import Section
from slam_ray.evaluation import EnglishLoss
from slam_ray.models.reference import Model, ModelRef
from slam_ray.reporting import BenchmarkSteps, ReportResult, RunSteps, report_step
from slam_ray.store.step import Attempt, Step, known
from tests.configs import run_config
from tests.corpora import fingerprint, made
from tests.unit.test_report import benchmark, findings
from tests.unit.test_report_page import Page


class Label(Section):
    label: str


def giving(label: str, result: BaseModel, files: dict[str, str] | None = None) -> Step[Any]:
    """A step that gives a known result."""

    def run(attempt: Attempt) -> BaseModel:
        for file, text in (files or {}).items():
            (attempt.directory / file).write_text(text)
        return result

    return Step("made-by-a-test", 1, Label(label=label), {}, type(result), run).labelled(label)


class Checked(BaseModel):
    """The result of a step that only checks something."""


def base() -> Model:
    """A model that must wait for a check."""
    return replace(known(ModelRef(Path("/nowhere"), ())), after=[giving("leakage", Checked())])


def report(**sections: Any) -> Step[ReportResult]:
    found, scored = findings(), benchmark()
    losses = "".join(line.model_dump_json() + "\n" for line in found.losses)
    before, after = giving("score base", scored.before), giving("score tuned", scored.after)
    english = [giving(f"loss {loss}", EnglishLoss(loss=loss, tokens=9, texts=1)) for loss in (2.0, 2.125)]
    steps = RunSteps(
        pairs=giving("pairs", found.pairs),
        selection=giving("select", found.selection),
        training=replace(giving("train", found.training, {"loss.jsonl": losses}), inputs={"model": base()}),
        benchmarks=[BenchmarkSteps("arithmetic", before, after, giving("compare", scored.comparison))],
        english=(english[0], english[1]),
    )
    return report_step(run_config(**{"name": "demo", "model": {"path": "models/tiny"}} | sections), steps)


def test_report_is_made_from_artifacts_and_names_all_of_them(tmp_path: Path) -> None:
    step = report(limit=7)
    artifact = made(step, tmp_path)
    html = artifact.file(artifact.result.page).read_text(encoding="utf-8")
    text = Page(html).text
    steps: dict[str, Any] = dict(step.inputs)
    labels = ["score base", "score tuned", "loss 2.0", "loss 2.125", "pairs", "select", "train", "leakage", "compare"]
    assert list(steps) == labels
    for label, each in steps.items():
        assert f"{label}</th><td><code>{made(each, tmp_path).fingerprint}</code>" in html
    assert "SLAM on tiny" in text
    assert "Smoke run on the first 7 " in text
    assert "average without English: +" in artifact.result.table
    assert "loss 2.000 before, 2.125 after" in artifact.result.table
    assert list(artifact.files) == ["index.html"]


def test_identity_follows_what_is_shown_and_is_known_before_anything_is_made(tmp_path: Path) -> None:
    identity = fingerprint(report(), tmp_path)
    assert fingerprint(report(storage=str(tmp_path / "elsewhere")), tmp_path) == identity
    assert fingerprint(report(name="other"), tmp_path) != identity
    assert fingerprint(report(limit=7), tmp_path) != identity


def test_building_the_step_loads_nothing_heavy() -> None:
    heavy = "{'matplotlib', 'jinja2', 'torch', 'ray', 'vllm'}"
    code = f"import sys, slam_ray.reporting, slam_ray.reporting.figures; sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"

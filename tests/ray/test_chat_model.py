"""A model with a chat template through all engines, on numbers and on choices, looked into before and after tuning; and
the same model only evaluated."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from slam_ray.cluster.local.head import LocalRay
from tests.counting import LANGUAGES, questions
from tests.models import CHAT_TEMPLATE, tiny_llama
from tests.published import FIXTURES

ROOT = Path(__file__).parents[2]
ASKED = questions(12)
PROMPTS = {"chat": True, "reasoning": "{query}\n\nThink.", "choice": "{query}\n\nChoose."}
BENCHMARKS = {
    "mgsm": {"path": str(FIXTURES / "mgsm"), "format": "mgsm"},
    "xcsqa": {"path": str(FIXTURES / "xcsqa"), "format": "xcsqa", "split": "validation"},
}


def job(name: str, *words: str) -> str:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / name), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chat")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    base = tiny_llama(folder / "base", layers=2)
    (base / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return base


@pytest.fixture(scope="module")
def run(ray_cluster: LocalRay, folder: Path, model: Path) -> Path:
    """The folder of a finished run."""
    english = {question.id: question.question for question in ASKED if question.language == "en"}
    pairs = [
        {
            "id": item.id,
            "language": item.language,
            "kind": "question",
            "source": item.question,
            "english": english[item.id],
        }
        for item in ASKED
        if item.language != "en"
    ]
    for name, rows in (("questions", [vars(question) for question in ASKED]), ("pairs", pairs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings: dict[str, Any] = {
        "storage": str(folder / "storage"),
        "model": {"path": str(model), "dtype": "float32"},
        "corpora": {
            "questions": str(folder / "questions.jsonl"),
            "pairs": str(folder / "pairs.jsonl"),
            "benchmarks": BENCHMARKS,
            "cleaning": {"length_ratio": False, "lost_numbers": False},
        },
        "prompts": PROMPTS,
        "activations": {"tuned": True, "states": True},
        "selection": {"layers": [0]},
        "training": {"epochs": 1, "batch_size": 8},
        "evaluation": {"max_new_tokens": 24},
    }
    (folder / "chat.yaml").write_text(yaml.safe_dump(settings))
    job("run_slam.py", str(folder / "chat.yaml"))
    return folder / "storage" / "runs" / "chat"


def artifact(run: Path, title: str) -> Path:
    home = run.parents[1] / "artifacts" / json.loads((run / "artifacts.json").read_text())[title]
    return home / "attempts" / json.loads((home / "record.json").read_text())["attempt"]


def test_the_question_alone_is_counted_in_the_prompt_that_is_asked(run: Path) -> None:
    record = json.loads((artifact(run, "count").parents[1] / "record.json").read_text())
    assert record["result"]["tokens"] == {
        code: sum(len(question.question.encode()) for question in ASKED if question.language == code)
        for code in LANGUAGES
    }
    for name, end in (("mgsm", "Think."), ("xcsqa", "Choose.")):
        for which in ("base", "tuned"):
            rows = pq.read_table(artifact(run, f"generate {which} {name}") / "responses.parquet").to_pylist()
            assert rows
            for row in rows:
                assert row["prompt"].startswith("<s><user>")
                assert row["prompt"].endswith(f"\n\n{end}\n<assistant><think></think>")
                assert row["prompt"].count("<s>") == 1


def test_the_tuned_model_is_looked_into_as_well(run: Path) -> None:
    counts = [np.load(artifact(run, title) / "counts.npz") for title in ("count", "count tuned")]
    assert np.array_equal(counts[0]["tokens"], counts[1]["tokens"])
    assert not np.array_equal(counts[0]["activated"][:, :, 1], counts[1]["activated"][:, :, 1])
    overlap = json.loads((run / "summary.json").read_text())["mean_overlap"]
    assert [len(overlap[when]) for when in ("before", "after")] == [2, 2]
    for which in ("base", "tuned"):
        states = np.load(artifact(run, f"states {which}") / "states.npz")
        assert states["states"].shape == (2, len(LANGUAGES), 12, 64)
        assert np.isfinite(states["map"]).all()
    page = (run / "index.html").read_text()
    assert "Figures 6 and 9" in page
    assert "Figure 10" in page


def test_the_models_own_answers_are_counted(run: Path, folder: Path) -> None:
    words = ["--name", "answers", "--activations.text", "answer", "--activations.states", "false"]
    output = job("run_slam.py", str(folder / "chat.yaml"), *words)
    assert "train: done before" in output
    other = run.parent / "answers"
    rows = pq.read_table(artifact(other, "answer") / "responses.parquet").to_pylist()
    assert {(row["language"], row["id"]) for row in rows} == {(item.language, item.id) for item in ASKED}
    said = {code: [row["prompt"] + row["response"] for row in rows if row["language"] == code] for code in LANGUAGES}
    for title in ("count", "count tuned"):
        record = json.loads((artifact(other, title).parents[1] / "record.json").read_text())
        assert record["result"]["tokens"] == {
            code: sum(len(text.removeprefix("<s>").encode()) for text in texts) for code, texts in said.items()
        }


def test_everything_measured_is_in_the_runs_scores(run: Path) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert set(scores) == {"mgsm", "xcsqa"}
    for name, extractors in (("mgsm", ["last-number", "strict"]), ("xcsqa", ["last-label", "first-label"])):
        for which in ("before", "after"):
            found = scores[name][which]
            assert list(found["extractors"]) == extractors
            headline = found["extractors"][extractors[0]]
            assert {"avg", "avg_non_en"} < headline.keys()
            assert {"accuracy", "low", "high", "pcr", "n", "unanswered"} == set(headline["languages"]["sw"])
            assert set(found["cut"]) == set(found["written"]) == set(headline["languages"])
        change = scores[name]["comparison"]["extractors"][extractors[0]]
        assert {"difference", "low", "high"} == set(change["avg"])
        assert {"p", "gained", "lost"} < set(change["languages"]["sw"])
    summary = json.loads((run / "summary.json").read_text())["benchmarks"]["xcsqa"]
    assert (summary["extractor"], summary["other_extractor"]) == ("last-label", "first-label")
    assert summary["cut"]["after"].keys() == summary["own_language"]["before"].keys() == {"en", "sw"}
    assert "first-label" in (run / "index.html").read_text()


def test_an_evaluation_finds_what_the_run_generated(run: Path, model: Path) -> None:
    words = [str(model), "--benchmarks", "mgsm,xcsqa", "--storage", str(run.parents[1]), "--model.dtype", "float32"]
    for name in BENCHMARKS:
        words += [f"--corpora.benchmarks.{name}.path", str(FIXTURES / name)]
    words += [word for key, value in PROMPTS.items() for word in (f"--prompts.{key}", json.dumps(value))]
    words += ["--evaluation.max_new_tokens", "24"]
    output = job("evaluate_model.py", *words)
    assert output.count("done before") == 6, "problems, responses and scores of both benchmarks"
    folder = run.parent / "base-mgsm-xcsqa"
    assert output.splitlines()[-1] == f"scores: {folder}/scores.json"
    before = {name: found["before"] for name, found in json.loads((run / "scores.json").read_text()).items()}
    assert json.loads((folder / "scores.json").read_text()) == before
    lines = output.splitlines()
    table = lines[lines.index("mgsm: accuracy in percent, 3 problems a language") :]
    assert max(map(len, table)) <= 80 + len(str(folder))
    assert any(line.startswith("sw ") for line in table)
    assert "to do" not in job("evaluate_model.py", *words, "--dry-run")

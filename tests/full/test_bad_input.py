"""Thousands of broken configurations and data files: each ends in one message of ours and exit code 2, no traceback."""

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import evaluate_model, run_slam, score_responses, select_layers
from slam_ray.config import known_keys
from tests.models import tiny_llama

LEAST = 1000  # of each kind must have been refused
LANGUAGES = ("en", "sw", "th")
thorough = settings(
    max_examples=1600,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def questions(number: int = 3) -> list[dict[str, Any]]:
    return [
        {"id": f"q{place}", "language": code, "question": f"{code} has {place} pens and {place} cups?"}
        for code in LANGUAGES
        for place in range(number)
    ]


FILES: dict[str, list[dict[str, Any]]] = {
    "questions": questions(),
    "pairs": [
        {"id": f"q{place}", "language": code, "kind": "question", "source": f"{code} {place}", "english": f"en {place}"}
        for code in LANGUAGES[1:]
        for place in range(3)
    ],
    "benchmark": [
        {"id": f"t{place}", "language": code, "question": f"{code} sells {place} hats?", "answer": place}
        for code in LANGUAGES
        for place in range(3)
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("valid")
    tiny_llama(folder / "model", layers=2)
    for name, rows in FILES.items():
        (folder / f"{name}.jsonl").write_bytes(jsonl(rows))
    (folder / "run.yaml").write_text(yaml.safe_dump(configuration(folder)))
    return folder


def jsonl(rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def table(rows: Sequence[dict[str, Any]], suffix: str) -> bytes:
    """The rows as a file of that kind."""
    if suffix == ".jsonl":
        return jsonl(rows)
    stream = io.BytesIO()
    columns = pa.Table.from_pylist(list(rows))
    if suffix == ".parquet":
        pq.write_table(columns, stream)
    else:
        pa_csv.write_csv(columns, stream)
    return stream.getvalue()


def configuration(folder: Path) -> dict[str, Any]:
    return {
        "storage": str(folder / "storage"),
        "model": {"path": str(folder / "model"), "dtype": "float32"},
        "corpora": {
            "questions": str(folder / "questions.jsonl"),
            "pairs": str(folder / "pairs.jsonl"),
            "benchmarks": {"own": str(folder / "benchmark.jsonl")},
            "cleaning": {"wrong_script": False},
        },
        "training": {"epochs": 1},
        "search": {"space": {"training.epochs": {"grid": [1, 2]}}},
    }


class Tally:
    """Calls jobs and counts how they end."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self.codes = capsys, Counter[int]()

    def __call__(self, main: Callable[[Sequence[str]], int], *argv: str, refused: bool = False) -> None:
        try:
            code = main(argv)
        except SystemExit as left:  # of argparse, which prints the usage too
            code = int(left.code or 0)
        said = self._capsys.readouterr()
        self.codes[code] += 1
        assert code in ((2,) if refused else (0, 2, 3)), (argv, said)
        assert "Traceback" not in said.err + said.out
        if code == 2:
            message = said.err.rpartition("error: ")[2].strip()
            assert message, argv
            assert said.err.count("error: ") >= 1
            assert len(message) < 2000, message


# What no key takes, or one only by chance.
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=12),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3),
    st.dictionaries(st.text(max_size=6), st.integers(), max_size=2),
)
KEYS = sorted(key for key, _ in known_keys())


@pytest.mark.timeout(900)
def test_broken_configurations(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally, file = Tally(capsys), tmp_path / "broken.yaml"
    valid = yaml.safe_dump(configuration(folder)).encode()
    tally(run_slam.main, str(folder / "run.yaml"), "--dry-run")
    assert tally.codes == {3: 1}, "the valid one has to be planned"

    @thorough
    @given(st.data())
    def broken(data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(("value", "unknown", "missing", "bytes", "option", "job")))
        values = configuration(folder)
        options: list[str] = []
        if kind == "value":
            put(values, data.draw(st.sampled_from(KEYS)), data.draw(WRONG))
        elif kind == "unknown":
            put(values, data.draw(st.sampled_from(KEYS)) + data.draw(st.text("abc_x", min_size=1, max_size=4)), 1)
        elif kind == "missing":
            section = data.draw(st.sampled_from(("model", "corpora")))
            values[section] = data.draw(st.sampled_from((None, {}, [], "x", 3)))
        elif kind == "option":
            options = [f"--{data.draw(st.sampled_from(KEYS))}", data.draw(st.text(max_size=10))]
        elif kind == "job":
            argv = data.draw(st.lists(st.one_of(st.text(max_size=8), st.sampled_from(("--dry-run", "--name")))))
            main = data.draw(st.sampled_from((run_slam.main, evaluate_model.main)))
            if not {"-h", "--help"} & set(argv):
                tally(main, *argv, "--dry-run")
            return
        file.write_bytes(mutated(valid, data) if kind == "bytes" else yaml.safe_dump(values).encode())
        tally(run_slam.main, str(file), "--dry-run", *options, refused=kind in ("unknown", "missing"))

    broken()
    print(f"configurations: {tally.codes[2]} refused, {tally.codes.total()} in all")
    assert tally.codes[2] >= LEAST


def put(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        inner = values.get(section)
        values[section] = inner = dict(inner) if isinstance(inner, dict) else {}
        values = inner
    values[name] = value


def mutated(content: bytes, data: st.DataObject) -> bytes:
    """Cut short, with bytes taken out or put in, or not text at all."""
    start = data.draw(st.integers(0, len(content)))
    end = min(len(content), start + data.draw(st.integers(0, 40)))
    inside = data.draw(
        st.sampled_from((b"", b"\x00", b"\xff\xfe", b"{", b'"', b"[[[", b"NaN", b"1e999", b"\t", b"&a *a"))
    )
    return data.draw(st.sampled_from((content[:start], content[:start] + inside + content[end:])))


@pytest.mark.timeout(900)
def test_broken_data_files(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(capsys)
    responses = [{"response": f"It is {place}.", "answer": place} for place in range(4)]
    activated = np.array([[[9, 7, 2], [8, 8, 8], [9, 9, 1]], [[1, 0, 7], [9, 3, 0], [8, 8, 8]]])
    counts = tmp_path / "counts.npz"
    np.savez(counts, languages=["en", "sw"], activated=activated, tokens=[10, 10])
    npz = counts.read_bytes()
    broken_counts = tmp_path / "broken.npz"

    @thorough
    @given(st.data())
    def broken(data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from((*FILES, "responses", "counts")))
        if kind == "counts":
            broken_counts.write_bytes(mutated(npz, data))
            tally(select_layers.main, str(broken_counts))
            return
        rows = [dict(row) for row in FILES.get(kind, responses)]
        suffix = ".jsonl"
        certain = data.draw(st.booleans())
        if certain:
            row = data.draw(st.sampled_from(rows))
            key = data.draw(st.sampled_from(sorted(row)))
            row[key] = data.draw(st.sampled_from((None, [], {"a": 1}, [row[key]], True)))
            if data.draw(st.booleans()):
                del row[key]
            content = jsonl(rows)
        else:
            if kind != "responses":
                suffix = data.draw(st.sampled_from((".jsonl", ".csv", ".parquet")))
            content = mutated(table(rows, suffix), data)
        file = tmp_path / f"broken{suffix}"
        file.write_bytes(content)
        if kind == "responses":
            tally(score_responses.main, str(file), "--language", "sw", refused=certain)
            return
        key = {"benchmark": "benchmarks.own"}.get(kind, kind)
        tally(run_slam.main, str(folder / "run.yaml"), "--dry-run", f"--corpora.{key}", str(file), refused=certain)

    broken()
    print(f"data files: {tally.codes[2]} refused, {tally.codes.total()} in all")
    assert tally.codes[2] >= LEAST

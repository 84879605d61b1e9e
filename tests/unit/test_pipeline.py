"""The pipeline: what is finished is found again, what was killed is not, nothing finished is replaced."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from slam_ray.config import ALL_DONE, TO_DO, ExecutionConfig, InputError, RunConfig
from slam_ray.pipeline.content import sha256
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.location import Folder
from slam_ray.pipeline.resources import Workers, shortfall
from slam_ray.pipeline.runs import Run
from slam_ray.pipeline.stages import Check, Done, Stage, plan, run, try_out, without_workers
from slam_ray.pipeline.step import Artifact, Attempt, NotMade, Step, fingerprint
from slam_ray.pipeline.storage import Storage
from tests.artifacts import artifact_of


class Times(BaseModel):
    factor: int


class Product(BaseModel):
    value: int


def constant(value: int) -> Step[Product]:
    return Step(
        "constant",
        1,
        Product(value=value),
        {},
        Product,
        lambda attempt: Product(value=value),
    )


def product(of: Artifact[Product], factor: int, calls: list[int] | None = None) -> Step[Product]:
    def work(attempt: Attempt) -> Product:
        if calls is not None:
            calls.append(factor)
        value = of.result.value * factor
        (attempt.directory / "value.txt").write_text(str(value))
        return Product(value=value)

    return Step("product", 1, Times(factor=factor), {"of": of}, Product, work)


@pytest.fixture
def context() -> Iterator[Context]:
    with Context(ExecutionConfig()) as context:
        yield context


def stages(factor: int, calls: list[int]) -> list[Stage]:
    return [
        Stage("one", lambda done: constant(3)),
        Stage("two", lambda done: product(done["one"], factor, calls)),
        Stage("three", lambda done: product(done["two"], done["two"].result.value, calls)),
    ]


def test_a_finished_stage_is_not_made_again(tmp_path: Path, context: Context) -> None:
    calls: list[int] = []
    first = run(stages(2, calls), Storage(tmp_path), context)
    again = run(stages(2, calls), Storage(tmp_path), context)
    assert calls == [2, 6]
    assert first == again
    assert again["three"].result.value == 36
    assert again["two"].file("value.txt").read_text() == "6"


def test_plan_says_what_is_done_to_do_and_why(tmp_path: Path, context: Context) -> None:
    storage = Storage(tmp_path)
    states = [(p.state, p.reason) for p in plan(stages(2, []), storage)]
    assert states == [("to do", ""), ("to do", ""), ("depends on two", "")]
    assert not any(tmp_path.iterdir()), "planning must not write"
    run(stages(2, []), storage, context)
    assert [p.state for p in plan(stages(2, []), storage)] == ["done"] * 3
    changed = plan(stages(5, []), storage)
    assert [p.state for p in changed] == ["done", "to do", "depends on two"]
    assert changed[1].reason == "config.factor: 2 -> 5"


@pytest.mark.parametrize(
    ("file", "content", "seen_when_planned"),
    [
        ("value.txt", b"", True),
        ("value.txt", b"7", False),
        ("value.txt", None, True),
        ("../../record.json", b"{", True),
    ],
    ids=["truncated", "altered", "gone", "no record"],
)
def test_what_was_altered_is_kept_aside_and_made_again(
    file: str, content: bytes | None, seen_when_planned: bool, tmp_path: Path, context: Context
) -> None:
    storage, calls = Storage(tmp_path), list[int]()
    done = run(stages(2, calls), storage, context)
    assert isinstance(done["two"].directory, Folder)
    (damaged := done["two"].directory / file).unlink()
    if content is not None:
        damaged.write_bytes(content)
    assert [stage.state for stage in plan(stages(2, []), storage)][1] == ("to do" if seen_when_planned else "done")
    again = run(stages(2, calls), storage, context)
    assert calls == [2, 6, 2], "the step after it stands"
    assert again["two"].file("value.txt").read_text() == "6"
    (aside,) = (tmp_path / "artifacts" / "product").glob("*.damaged-*")
    kept = aside / damaged.relative_to(tmp_path / "artifacts" / "product" / done["two"].fingerprint)
    assert (kept.read_bytes() if kept.exists() else None) == content


@pytest.mark.parametrize(
    "forged",
    [
        {"attempt": "../../../secret"},
        {"attempt": "/"},
        {"attempt": ".."},
        {"files": {"../../../../../../secret/value.txt": [1, "0" * 64]}},
        {"files": {"link": [1, "0" * 64]}},
        {"files": ["value.txt"]},
        {"result": None},
        {"step": None},
    ],
    ids=lambda forged: " ".join(f"{key} {value}" for key, value in forged.items())[:40],
)
def test_a_record_leads_nowhere_else(forged: dict[str, Any], tmp_path: Path, context: Context) -> None:
    """Whoever may write into the storage could write such a one; what it names outside is not even read."""
    secret = tmp_path / "secret" / "value.txt"
    secret.parent.mkdir()
    secret.write_text("6")
    storage, calls = Storage(tmp_path / "storage"), list[int]()
    directory = run(stages(2, calls), storage, context)["two"].directory
    assert isinstance(directory, Folder)
    (directory / "link").symlink_to(secret)
    for entry in forged.get("files", ()):
        if isinstance(forged["files"], dict):
            forged["files"][entry] = [1, sha256(secret)]
    record = directory.parents[1] / "record.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | forged))
    assert [stage.state for stage in plan(stages(2, []), storage)] == ["done", "to do", "depends on two"]
    assert run(stages(2, calls), storage, context)["two"].file("value.txt").read_text() == "6"
    assert calls == [2, 6, 2]


def test_a_result_of_another_kind_is_named(tmp_path: Path, context: Context) -> None:
    storage = Storage(tmp_path)
    directory = run(stages(2, []), storage, context)["two"].directory
    assert isinstance(directory, Folder)
    record = directory.parents[1] / "record.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"result": {"value": "six"}}))
    with pytest.raises(InputError, match=r"record\.json: result\.value: .*integer.*; remove /"):
        plan(stages(2, []), storage)


@pytest.mark.parametrize("name", ["../../record.json", "/etc/passwd", "link", "a/../../x"])
def test_a_file_of_an_artifact_lies_in_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="has no file"):
        artifact_of(tmp_path).file(name)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b'{"one": 1}', b"\xff"])
def test_what_a_finished_run_holds_has_to_be_readable(content: bytes | None, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("{}")
    if content is not None:
        (folder / "artifacts.json").write_bytes(content)
    values = {"model": {"path": "m"}, "corpora": {"benchmarks": {"own": "b"}}}
    config = RunConfig.model_validate({"name": "mine", "storage": str(tmp_path), **values})
    with pytest.raises(InputError, match=r"artifacts\.json does not say what the run holds; remove .*mine"):
        Run(config, stages(2, []))


def test_a_storage_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    values = {"model": {"path": "m"}, "corpora": {"benchmarks": {"own": "b"}}}
    for place in ("file", "file/inside"):
        config = RunConfig.model_validate({"name": "mine", "storage": str(tmp_path / place), **values})
        with pytest.raises(InputError, match=r"storage: .*/file is a file; give a folder"):
            Storage.of(config)


def test_the_first_commit_stands(tmp_path: Path, context: Context) -> None:
    storage = Storage(tmp_path)

    def overtaken(attempt: Attempt) -> Product:
        # As on a storage whose locks do not hold.
        (tmp_path / "artifacts" / "constant" / f"{constant(3).fingerprint}.lock").unlink()
        storage.make(constant(3), context)
        return Product(value=4)

    late = Step("constant", 1, Product(value=3), {}, Product, overtaken)
    artifact = storage.make(late, context)
    assert artifact.result.value == 3
    assert storage.find(late) == artifact


def test_a_killed_attempt_leaves_no_artifact_and_its_scratch(tmp_path: Path, context: Context) -> None:
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.storage import Storage
from slam_ray.config import ExecutionConfig
from tests.unit.test_pipeline import counting_up
Storage(Path({str(tmp_path)!r})).make(counting_up(dies=True), Context(ExecutionConfig()))
"""
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL
    storage = Storage(tmp_path)
    assert storage.find(counting_up()).directory is None
    artifact = storage.make(counting_up(), context)
    assert isinstance(artifact.directory, Folder)
    assert artifact.result.value == 2, "the second attempt goes on from the first one's scratch"
    assert not (artifact.directory.parents[1] / "scratch").exists()


def counting_up(dies: bool = False, waits_for: Path | None = None) -> Step[Product]:
    def work(attempt: Attempt) -> Product:
        state = attempt.scratch / "state"
        value = int(state.read_bytes()) + 1 if state.exists() else 1
        state.write_bytes(str(value).encode())
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        if waits_for is not None:
            wait_until(waits_for.exists)
        return Product(value=value)

    return Step("counting-up", 1, Times(factor=0), {}, Product, work)


def test_two_runs_at_once_make_a_step_once(tmp_path: Path, context: Context) -> None:
    """The second waits for the first, also for one that is killed; then it goes on from what that one left."""
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.storage import Storage
from slam_ray.config import ExecutionConfig
from tests.unit.test_pipeline import counting_up
step = counting_up(waits_for=Path({str(tmp_path / "go")!r}))
Storage(Path({str(tmp_path)!r})).make(step, Context(ExecutionConfig()))
"""

    def started() -> "subprocess.Popen[str]":
        return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)

    state = tmp_path / "artifacts" / "counting-up" / counting_up().fingerprint / "scratch" / "state"
    first = started()
    wait_until(state.exists)
    second, third = started(), started()
    for waiting in (second, third):
        assert waiting.stdout is not None
        assert "another run is at work on it" in waiting.stdout.readline()
    first.kill()
    wait_until(lambda: state.read_text() == "2")
    (tmp_path / "go").touch()
    assert [second.wait(), third.wait()] == [0, 0]
    artifact = Storage(tmp_path).find(counting_up())
    assert artifact.result.value == 2
    assert isinstance(artifact.directory, Folder)
    assert len(list(artifact.directory.parent.iterdir())) == 2, "the killed attempt, and one for both that waited"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_a_failing_step_commits_nothing(tmp_path: Path, context: Context) -> None:
    def fails(attempt: Attempt) -> Product:
        raise OSError("disk full")

    step = Step("constant", 1, Product(value=3), {}, Product, fails)
    with pytest.raises(OSError, match="disk full"):
        Storage(tmp_path).make(step, context)
    assert Storage(tmp_path).find(step).directory is None


def test_fingerprint_is_stable_and_refuses_what_has_no_canonical_form() -> None:
    assert constant(3).fingerprint == "cb951700634a9b8fadb1", "raise the version of every step with this change"
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    for value in (Path("x"), float("nan"), print, {1, 2}):
        with pytest.raises((TypeError, ValueError)):
            fingerprint({"value": value})


def test_an_artifact_that_is_not_made_has_no_result() -> None:
    with pytest.raises(NotMade, match="0123"):
        _ = Artifact[Product]("product", "0123").result


def test_a_check_is_made_once_workers_are_needed_and_stops_them(
    tmp_path: Path, context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    storage, calls = Storage(tmp_path), list[int]()

    def look(done: Done) -> list[str]:
        if done["one"].result.value != 3:
            raise InputError("not three")
        return ["note: three"]

    def counted(done: Done) -> Step[Product]:
        return replace(product(done["one"], 2, calls), workers="counting")

    checked: list[Stage | Check] = [Stage("one", lambda done: constant(3)), Check(look), Stage("two", counted)]
    assert [planned.title for planned in plan(checked, storage)] == ["one", "two"]
    assert without_workers(checked) == checked[:2]
    assert without_workers(stages(2, [])) == []
    try_out(checked[:2], storage)
    try_out(checked[1:2], storage)  # it cannot tell yet
    assert capsys.readouterr().out == "note: three\n"
    wrong = [Stage("one", lambda done: constant(4)), *checked[1:]]
    for call in (lambda: try_out(wrong[:2], storage), lambda: run(wrong, storage, context)):
        with pytest.raises(InputError, match="not three"):
            call()
    assert calls == []
    run(checked, storage, context)
    run(checked, storage, context)
    assert calls == [2]
    assert capsys.readouterr().out.count("note: three") == 1


def test_shortfall_names_what_is_missing() -> None:
    workers = Workers("training", 3, cpus=1, gpus=1)
    assert shortfall(workers, [{"CPU": 8, "GPU": 2}, {"CPU": 1, "GPU": 4}]) is None
    assert "room for 2" in (shortfall(workers, [{"CPU": 8, "GPU": 2}, {"CPU": 64}]) or "")
    assert "--execution.training_workers 1" in (shortfall(workers, [{"CPU": 8}]) or "")


def test_a_finished_run_keeps_its_name_and_its_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpora = {"questions": "q", "pairs": "p", "benchmarks": {"b": "b"}}
    config = RunConfig(name="mine", storage=str(tmp_path), model={"path": "m"}, corpora=corpora)
    finished = Run(config, stages(2, []))
    assert finished.dry_run() == TO_DO
    done = finished.carry_out()
    Run(config, stages(5, []))  # not finished: free to change
    assert finished.keep(done["two"].file("value.txt")).read_bytes() == b"6"
    finished.finish({"own": 2}, Product(value=1))
    with pytest.raises(InputError, match=r"'mine'.*'two'.*config.factor: 2 -> 5.*--name"):
        Run(config, stages(5, []))
    again = Run(config, stages(2, []))
    assert again.dry_run() == ALL_DONE
    assert capsys.readouterr().out.split("\n")[-2].split() == ["three", "done"]

    def killed(done: Done) -> Step[Product]:
        def die(attempt: Attempt) -> Product:
            raise KeyboardInterrupt

        return replace(product(done["one"], 2), run=die)

    shutil.rmtree(tmp_path / "artifacts" / "product" / done["two"].fingerprint)
    with pytest.raises(KeyboardInterrupt):
        Run(config, [stages(2, [])[0], Stage("two", killed)]).carry_out()
    assert json.loads((finished.path / "artifacts.json").read_bytes()).keys() == {"one", "two", "three"}
    assert json.loads((finished.path / "summary.json").read_bytes()) == {"value": 1}
    assert json.loads((finished.path / "scores.json").read_bytes()) == {"own": 2}

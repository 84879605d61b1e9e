"""Steps and their storage: what is finished is found again, what was killed is not, nothing finished is replaced."""

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

from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ALL_DONE, TO_DO, ExecutionConfig, InputError
from slam_ray.store.artifact import Artifact, NotMade, fingerprint
from slam_ray.store.hashing import sha256
from slam_ray.store.local import LocalLocation
from slam_ray.store.making import check_inputs, make, plan
from slam_ray.store.runs import Run
from slam_ray.store.step import Artifacts, Attempt, Derived, Input, Step, known, steps_to
from slam_ray.store.storage import Storage
from tests.artifacts import artifact_of
from tests.configs import run_config


class Times(BaseModel):
    factor: int


class Product(BaseModel):
    value: int


def constant(value: int) -> Step[Product]:
    return Step("constant", 1, Product(value=value), {}, Product, lambda attempt: Product(value=value))


def product(of: Input[Product], factor: int | Derived[Times], calls: list[int] | None = None) -> Step[Product]:
    config = Times(factor=factor) if isinstance(factor, int) else factor

    def work(attempt: Attempt) -> Product:
        times = attempt[config].factor if isinstance(config, Derived) else config.factor
        if calls is not None:
            calls.append(times)
        value = attempt[of].result.value * times
        (attempt.directory / "value.txt").write_text(str(value))
        return Product(value=value)

    return Step("product", 1, config, {"of": of}, Product, work)


def chain(factor: int, calls: list[int] | None = None) -> list[Step[Product]]:
    """The third step's config follows from the second one's result."""
    one = constant(3).labelled("one")
    two = product(one, factor, calls).labelled("two")
    config = Derived([two], lambda artifacts: Times(factor=artifacts[two].result.value))
    return [one, two, product(two, config, calls).labelled("three")]


def made(steps: list[Step[Product]], storage: Storage, cluster: RayCluster) -> list[Artifact[Product]]:
    """The artifacts of these steps, made by way of the last one."""
    artifacts = Artifacts(storage)
    make(steps[-1:], artifacts, cluster)
    return [artifacts[step] for step in steps]


def find(step: Step[Product], storage: Storage) -> Artifact[Product]:
    return Artifacts(storage).find(step)


@pytest.fixture
def cluster() -> Iterator[RayCluster]:
    with RayCluster(ExecutionConfig()) as cluster:
        yield cluster


def test_a_finished_step_is_not_made_again(tmp_path: Path, cluster: RayCluster) -> None:
    calls: list[int] = []
    first = made(chain(2, calls), Storage(tmp_path), cluster)
    again = made(chain(2, calls), Storage(tmp_path), cluster)
    assert calls == [2, 6]
    assert first == again
    assert again[2].result.value == 36
    assert again[1].file("value.txt").read_text() == "6"


def test_plan_says_what_is_done_to_do_and_why(tmp_path: Path, cluster: RayCluster) -> None:
    storage = Storage(tmp_path)
    states = [(step.state, step.reason) for step in plan(chain(2)[-1:], storage)]
    assert states == [("to do", ""), ("to do", ""), ("depends on two", "")]
    assert not any(tmp_path.iterdir()), "planning must not write"
    made(chain(2), storage, cluster)
    assert [step.state for step in plan(chain(2)[-1:], storage)] == ["done"] * 3
    changed = plan(chain(5)[-1:], storage)
    assert [step.state for step in changed] == ["done", "to do", "depends on two"]
    assert changed[1].reason == "config.factor: 2 -> 5"


def test_steps_are_made_in_the_order_of_their_calls(tmp_path: Path, cluster: RayCluster) -> None:
    """So are those that nothing reads but that a value is to come after; of labels and checks none is identity."""
    calls: list[int] = []
    first, one = product(constant(1), 10, calls), constant(3)
    alone = product(one, 20, calls)
    waiting = product(one, 30, calls)
    last = product(waiting, Derived([first], lambda artifacts: Times(factor=40), after=[alone]), calls)
    assert [step.call for step in steps_to(last)] == sorted(step.call for step in steps_to(last))
    artifacts = Artifacts(Storage(tmp_path))
    make([last], artifacts, cluster)
    assert calls == [10, 20, 30, 40]
    plain = product(artifacts[one], 30).labelled("under another name")
    assert artifacts.find(plain) == artifacts[waiting]
    assert artifacts.find(product(waiting, 40)).fingerprint == artifacts[last].fingerprint


@pytest.mark.parametrize(
    ("file", "content", "noticed_in_the_plan"),
    [
        ("value.txt", b"", True),
        ("value.txt", b"7", False),
        ("value.txt", None, True),
        ("../../record.json", b"{", True),
    ],
    ids=["truncated", "altered", "gone", "no record"],
)
def test_what_was_altered_is_kept_aside_and_made_again(
    file: str, content: bytes | None, noticed_in_the_plan: bool, tmp_path: Path, cluster: RayCluster
) -> None:
    storage, calls = Storage(tmp_path), list[int]()
    done = made(chain(2, calls), storage, cluster)
    assert isinstance(done[1].directory, LocalLocation)
    (damaged := done[1].directory / file).unlink()
    if content is not None:
        damaged.write_bytes(content)
    assert [step.state for step in plan(chain(2)[-1:], storage)][1] == ("to do" if noticed_in_the_plan else "done")
    again = made(chain(2, calls), storage, cluster)
    assert calls == [2, 6, 2], "the step after it stands"
    assert again[1].file("value.txt").read_text() == "6"
    (aside,) = (tmp_path / "artifacts" / "product").glob("*.damaged-*")
    kept = aside / damaged.relative_to(tmp_path / "artifacts" / "product" / done[1].fingerprint)
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
def test_a_record_leads_nowhere_else(forged: dict[str, Any], tmp_path: Path, cluster: RayCluster) -> None:
    """Whoever may write into the storage could write such a one; what it names outside is not even read."""
    secret = tmp_path / "secret" / "value.txt"
    secret.parent.mkdir()
    secret.write_text("6")
    storage, calls = Storage(tmp_path / "storage"), list[int]()
    directory = made(chain(2, calls), storage, cluster)[1].directory
    assert isinstance(directory, LocalLocation)
    (directory / "link").symlink_to(secret)
    for entry in forged.get("files", ()):
        if isinstance(forged["files"], dict):
            forged["files"][entry] = [1, sha256(secret)]
    record = directory.parents[1] / "record.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | forged))
    assert [step.state for step in plan(chain(2)[-1:], storage)] == ["done", "to do", "depends on two"]
    assert made(chain(2, calls), storage, cluster)[1].file("value.txt").read_text() == "6"
    assert calls == [2, 6, 2]


def test_a_result_of_another_kind_is_named(tmp_path: Path, cluster: RayCluster) -> None:
    storage = Storage(tmp_path)
    directory = made(chain(2), storage, cluster)[1].directory
    assert isinstance(directory, LocalLocation)
    record = directory.parents[1] / "record.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"result": {"value": "six"}}))
    with pytest.raises(InputError, match=r"record\.json: result\.value: .*integer.*; remove /"):
        plan(chain(2)[-1:], storage)


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
    config = run_config(name="mine", storage=str(tmp_path))
    with pytest.raises(InputError, match=r"artifacts\.json does not say what the run holds; remove .*mine"):
        Run(config, chain(2)[-1:])


def test_a_storage_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/inside"):
        config = run_config(storage=str(tmp_path / place))
        with pytest.raises(InputError, match=r"storage: .*/file is a file; give a folder"):
            Storage.of(config)


def test_the_first_commit_stands(tmp_path: Path, cluster: RayCluster) -> None:
    artifacts = Artifacts(Storage(tmp_path))

    def overtaken(attempt: Attempt) -> Product:
        # As on a storage whose locks do not hold.
        home = attempt.scratch.parent
        (home.parent / f"{home.name}.lock").remove()
        Artifacts(Storage(tmp_path)).make(constant(3), cluster)
        return Product(value=4)

    late = replace(constant(3), run=overtaken)
    artifact = artifacts.make(late, cluster)
    assert artifact.result.value == 3
    assert find(late, Storage(tmp_path)) == artifact


def test_a_killed_attempt_leaves_no_artifact_and_its_scratch(tmp_path: Path, cluster: RayCluster) -> None:
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.unit.test_making import *
Artifacts(Storage(Path({str(tmp_path)!r}))).make(counting_up(dies=True), RayCluster(ExecutionConfig()))
"""
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL
    artifacts = Artifacts(Storage(tmp_path))
    assert artifacts.find(counting_up()).directory is None
    artifact = artifacts.make(counting_up(), cluster)
    assert isinstance(artifact.directory, LocalLocation)
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


def test_two_runs_at_once_make_a_step_once(tmp_path: Path, cluster: RayCluster) -> None:
    """The second waits for the first, also for one that is killed; then it goes on from what that one left."""
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.unit.test_making import *
step = counting_up(waits_for=Path({str(tmp_path / "go")!r}))
Artifacts(Storage(Path({str(tmp_path)!r}))).make(step, RayCluster(ExecutionConfig()))
"""

    def started() -> "subprocess.Popen[str]":
        return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)

    home = tmp_path / "artifacts" / "counting-up" / find(counting_up(), Storage(tmp_path)).fingerprint
    state = home / "scratch" / "state"
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
    artifact = find(counting_up(), Storage(tmp_path))
    assert artifact.result.value == 2
    assert isinstance(artifact.directory, LocalLocation)
    assert len(list(artifact.directory.parent.iterdir())) == 2, "the killed attempt, and one for both that waited"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_a_failing_step_commits_nothing(tmp_path: Path, cluster: RayCluster) -> None:
    def fails(attempt: Attempt) -> Product:
        raise OSError("disk full")

    step = replace(constant(3), run=fails)
    with pytest.raises(OSError, match="disk full"):
        Artifacts(Storage(tmp_path)).make(step, cluster)
    assert find(step, Storage(tmp_path)).directory is None


def test_fingerprint_is_stable_and_refuses_what_has_no_canonical_form(tmp_path: Path) -> None:
    assert find(constant(3), Storage(tmp_path)).fingerprint == "cb951700634a9b8fadb1", (
        "raise the version of every step with this change"
    )
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    for value in (Path("x"), float("nan"), print, {1, 2}):
        with pytest.raises((TypeError, ValueError)):
            fingerprint({"value": value})


def test_an_artifact_that_is_not_made_has_no_result() -> None:
    with pytest.raises(NotMade, match="0123"):
        _ = Artifact[Product]("product", "0123").result


def test_a_value_follows_the_artifact_that_is_made(tmp_path: Path, cluster: RayCluster) -> None:
    artifacts, step = Artifacts(Storage(tmp_path)), constant(3)
    made_of = Derived([step], lambda artifacts: artifacts[step].directory)
    artifacts.find(step)
    assert artifacts[made_of] is None
    assert artifacts.make(step, cluster).directory == artifacts[made_of] is not None


def test_a_check_is_looked_at_before_the_steps_that_wait_for_it(
    tmp_path: Path, cluster: RayCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    storage, calls = Storage(tmp_path), list[int]()

    def checked(value: int, counts: str | None = None) -> list[Step[Product]]:
        one = replace(constant(value), workers=counts)

        def look(artifacts: Artifacts) -> list[str]:
            if artifacts[one].result.value != 3:
                raise InputError("not three")
            return ["note: three"]

        waiting = replace(known(Times(factor=2)), after=[Derived([one], look)])
        return [product(product(one, waiting, calls), waiting, calls)]

    assert [step.label for step in plan(checked(3), storage)] == ["constant", "product", "product"]

    def check(steps: list[Step[Product]]) -> None:
        check_inputs(steps, plan(steps, storage), storage, cluster)

    check(checked(3))
    check(checked(3, counts="counting"))  # it cannot tell yet
    assert capsys.readouterr().out == "note: three\n"
    assert not list(tmp_path.glob("artifacts/*/*/record.json"))
    for call in (lambda: check(checked(4)), lambda: made(checked(4), storage, cluster)):
        with pytest.raises(InputError, match="not three"):
            call()
    assert calls == []
    made(checked(3), storage, cluster)
    made(checked(3), storage, cluster)
    assert calls == [2, 2]
    check(checked(3))  # what is finished waits for nothing any more
    assert capsys.readouterr().out.count("note: three") == 1


def test_a_finished_run_keeps_its_name_and_its_links(
    tmp_path: Path, cluster: RayCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    config = run_config(name="mine", storage=str(tmp_path))
    steps = chain(2)
    finished = Run(config, steps[-1:])
    assert finished.dry_run(cluster) == TO_DO
    two = finished.make(cluster)[steps[1]]
    Run(config, chain(5)[-1:])  # not finished: free to change
    assert finished.keep(two.file("value.txt")).read_bytes() == b"6"
    finished.finish({"own": 2}, Product(value=1))
    with pytest.raises(InputError, match=r"'mine'.*'two'.*config.factor: 2 -> 5.*--name"):
        Run(config, chain(5)[-1:])
    renamed = [step.labelled(f"the new {step.label}") for step in chain(2)]
    assert Run(config, renamed[-1:]).dry_run(cluster) == ALL_DONE
    assert capsys.readouterr().out.split("\n")[-2].split() == ["the", "new", "three", "done"]

    def die(attempt: Attempt) -> Product:
        raise KeyboardInterrupt

    shutil.rmtree(tmp_path / "artifacts" / "product" / two.fingerprint)
    one = chain(2)[0]
    with pytest.raises(KeyboardInterrupt):
        Run(config, [replace(product(one, 2), run=die)]).make(cluster)
    assert json.loads((finished.path / "artifacts.json").read_bytes()).keys() == {"one", "two", "three"}
    assert json.loads((finished.path / "summary.json").read_bytes()) == {"value": 1}
    assert json.loads((finished.path / "scores.json").read_bytes()) == {"own": 2}

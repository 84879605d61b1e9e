"""A folder and a bucket are one kind of place: what is asked of the one is asked of the other."""

import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from pyarrow.fs import FileType, copy_files

from slam_ray.config import ExecutionConfig, InputError, RunConfig, storage_of
from slam_ray.pipeline import location as module
from slam_ray.pipeline.content import sha256
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.location import Folder, Keys, Location, location
from slam_ray.pipeline.runs import Run
from slam_ray.pipeline.stages import run
from slam_ray.pipeline.storage import Storage
from tests.s3 import BUCKET, S3Server, keys, s3_server
from tests.unit.test_pipeline import counting_up, stages


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, server: S3Server, tmp_path: Path) -> Location:
    return Folder(tmp_path / "place") if request.param == "folder" else keys(tmp_path.name)


def test_files(place: Location) -> None:
    assert (place.files(), place.folders(), (place / "a").exists()) == ({}, [], False)
    with pytest.raises(FileNotFoundError):
        (place / "a").read_bytes()
    for name, content in {"a": b"one", "b/c": b"two", "b/d/e": b"three", "bb": b""}.items():
        (place / name).write_bytes(content)
    (place / "a").write_bytes(b"again")
    assert {name: file.size for name, file in place.files().items()} == {"a": 5, "b/c": 3, "b/d/e": 5, "bb": 0}
    assert all(abs(file.modified - time.time()) < 60 for file in place.files().values())
    assert place.folders() == ["b"]
    assert (place / "b").folders() == ["d"]
    assert ((place / "a").read_bytes(), (place / "a").exists()) == (b"again", True)
    assert ((place / "b" / "c").name, str((place / "b" / "c").parent)) == ("c", str(place / "b"))
    (place / "b").rename(place / "f")
    assert place.files().keys() == {"a", "f/c", "f/d/e", "bb"}
    for name in ("f", "a", "never"):
        (place / name).remove()
    assert place.files().keys() == {"bb"}


def test_one_of_many_creates(place: Location) -> None:
    won = []

    def create(number: int) -> None:
        if (place / "record").create(str(number).encode() * 1000):
            won.append(number)

    threads = [threading.Thread(target=create, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (place / "record").read_bytes() == str(won[0]).encode() * 1000


def test_what_is_worked_on_here_is_there(place: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCHED", tmp_path / "cache")
    with place.working() as folder:
        (folder / "inside").mkdir()
        (folder / "inside" / "file").write_bytes(b"x" * 10_000_000)
    assert place.files().keys() == {"inside/file"}
    digest = (place / "inside/file").sha256()
    fetched = (place / "inside/file").fetched(digest)
    assert sha256(fetched) == digest
    (place / "inside/file").remove()
    if isinstance(place, Keys):
        assert not folder.exists()
        assert (place / "inside/file").fetched(digest) == fetched, "it was fetched once"
        (place / "inside/file").write_bytes(b"other")
        with pytest.raises(InputError, match=r"inside/file was altered; run again"):
            (place / "inside/file").fetched("0" * 64)
        assert not list((tmp_path / "cache" / ("0" * 64)).iterdir())


def test_turns(place: Location, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The second waits for the first; a claim that its dead run no longer moves is taken over."""
    monkeypatch.setattr(module, "BEAT_S", 0.1)
    monkeypatch.setattr(module, "SILENT_S", 2.0)
    told = []

    def second() -> None:
        with place.turn("busy", lambda: told.append("released")):
            told.append("second")

    with place.turn("busy", lambda: None):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(3)
        told.append("first")
    waiting.join()
    assert told == ["released", "first", "second"]
    assert capsys.readouterr().out.startswith("busy")
    if isinstance(place, Keys):
        (place.parent / f"{place.name}.lock").write_bytes(b"of a killed run")
        with place.turn("busy", lambda: None):
            (place.parent / f"{place.name}.lock").remove()  # as one that took it over does at its end
        assert not (place.parent / f"{place.name}.lock").exists()


def test_a_run_on_a_bucket(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCHED", tmp_path / "cache")
    corpora = {"questions": "q", "pairs": "p", "benchmarks": {"b": "b"}}
    url = f"s3://{BUCKET}/{tmp_path.name}/run"
    config = RunConfig(name="mine", storage=url, model={"path": "m"}, corpora=corpora)
    calls: list[int] = []
    mine = Run(config, stages(2, calls))
    done = mine.carry_out()
    assert str(mine.keep(done["two"].file("value.txt"))) == f"{url}/runs/mine/value.txt"
    with Context(ExecutionConfig()) as context:
        storage = Storage.of(config)
        assert run(stages(2, calls), storage, context) == done
        assert calls == [2, 6]
        assert done["two"].directory is not None
        (done["two"].directory / "value.txt").write_bytes(b"7")
        again = run(stages(2, calls), storage, context)
        assert calls == [2, 6, 2]
        assert again["two"].file("value.txt").read_text() == "6"
        aside = [name for name in (storage.root / "artifacts" / "product").folders() if ".damaged-" in name]
        assert len(aside) == 1
        assert (storage.root / "artifacts" / "product" / aside[0] / "record.json").exists()
        scratch = storage.root / "artifacts" / "counting-up" / counting_up().fingerprint / "scratch"
        (scratch / "state").write_bytes(b"41")
        assert storage.make(counting_up(), context).result.value == 42
        assert scratch.files() == {}
    assert not any(name.endswith(".lock") for name in storage.root.files())


def test_ray_train_leaves_nothing_behind(server: S3Server, tmp_path: Path) -> None:
    place = keys(tmp_path.name)
    told = place.for_arrow()
    filesystem, path = pickle.loads(pickle.dumps(told["storage_filesystem"])), told["storage_path"]
    (tmp_path / "here" / "inside").mkdir(parents=True)
    (tmp_path / "here" / "inside" / "file").write_bytes(b"x" * 10_000_000)
    copy_files(str(tmp_path / "here"), path, destination_filesystem=filesystem)
    assert {name: file.size for name, file in place.files().items()} == {"inside/file": 10_000_000}
    assert filesystem.get_file_info(f"{path}/inside").type == FileType.Directory
    with filesystem.open_input_file(f"{path}/inside/file") as stream:
        assert stream.size() == 10_000_000
    filesystem.create_dir(f"{path}/other", recursive=True)
    filesystem.delete_dir(f"{path}/inside")
    left = boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket=BUCKET, Prefix=tmp_path.name)
    assert left["KeyCount"] == 0


def test_a_storage_that_comes_back(server: S3Server, tmp_path: Path) -> None:
    place = keys(tmp_path.name)
    server.leave()
    back = threading.Timer(5, server.come_back)
    back.start()
    started = time.monotonic()
    (place / "a").write_bytes(b"1")
    assert time.monotonic() - started > 4
    assert (place / "a").read_bytes() == b"1"
    back.join()


def test_a_storage_that_cannot_be_written_is_said_at_once(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        InputError, match=r"storage: s3://no-such-bucket/x/\.exclusive-.*NoSuchBucket.*AWS_ENDPOINT_URL"
    ):
        location("s3://no-such-bucket/x").check()
    monkeypatch.setattr(Keys, "create", lambda self, data: True)
    with pytest.raises(InputError, match=r"does not create exclusively"):
        keys("x").check()


@pytest.mark.parametrize("url", ["gs://bucket/x", "s3://bucket", "s3://me:secret@bucket/x", "s3://bucket/x?key=secret"])
def test_other_urls_are_refused_and_not_said_back(url: str) -> None:
    with pytest.raises(InputError, match=r"--storage: give a folder, or s3://BUCKET/PREFIX") as raised:
        storage_of(url, "--storage")
    assert "secret" not in str(raised.value)
    assert storage_of("s3://bucket/a/b/", "--storage") == "s3://bucket/a/b"

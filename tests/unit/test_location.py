"""A folder and a bucket are one kind of place: what is asked of the one is asked of the other."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from pyarrow.fs import FileType, copy_files

from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ExecutionConfig, InputError, storage_of
from slam_ray.store import download_cache, s3_lock
from slam_ray.store.hashing import sha256
from slam_ray.store.local import LocalLocation
from slam_ray.store.location import Location
from slam_ray.store.runs import Run
from slam_ray.store.s3 import S3Location
from slam_ray.store.step import Artifacts
from slam_ray.store.storage import Storage, location
from tests.configs import run_config
from tests.s3 import BUCKET, S3Server, keys, s3_server
from tests.unit.test_making import chain, counting_up, made


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, server: S3Server, tmp_path: Path) -> Location:
    return LocalLocation(tmp_path / "place") if request.param == "folder" else keys(tmp_path.name)


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


def test_what_is_written_into_a_staging_folder_is_stored(
    place: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_cache, "FOLDER", tmp_path / "cache")
    with place.staging_folder() as folder:
        (folder / "inside").mkdir()
        (folder / "inside" / "file").write_bytes(b"x" * 10_000_000)
    assert place.files().keys() == {"inside/file"}
    digest = (place / "inside/file").sha256()
    fetched = (place / "inside/file").local_file(digest)
    assert sha256(fetched) == digest
    (place / "inside/file").remove()
    if isinstance(place, S3Location):
        assert not folder.exists()
        assert (place / "inside/file").local_file(digest) == fetched, "it was fetched once"
        (place / "inside/file").write_bytes(b"other")
        with pytest.raises(InputError, match=r"inside/file was altered; run again"):
            (place / "inside/file").local_file("0" * 64)
        assert not list((tmp_path / "cache" / ("0" * 64)).iterdir())


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_lock, "BEAT_S", 0.1)
    monkeypatch.setattr(s3_lock, "SILENT_S", 2.0)


@pytest.mark.usefixtures("short_times")
def test_lock(place: Location, capsys: pytest.CaptureFixture[str]) -> None:
    """The second run waits for the first, and takes the lock of a killed one over."""
    told = []

    def second() -> None:
        with place.lock("busy", lambda: told.append("released")):
            told.append("second")

    with place.lock("busy", lambda: None):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(3)
        told.append("first")
    waiting.join()
    assert told == ["released", "first", "second"]
    assert capsys.readouterr().out.startswith("busy")
    if isinstance(place, S3Location):
        (place.parent / f"{place.name}.lock").write_bytes(b"of a killed run")
        with place.lock("busy", lambda: None):
            pass
        assert not (place.parent / f"{place.name}.lock").exists()


@pytest.mark.usefixtures("short_times")
def test_a_run_that_was_silent_loses_the_lock_and_stops(server: S3Server, tmp_path: Path) -> None:
    place = keys(tmp_path.name)
    script = f"""
import signal, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from slam_ray.store import s3_lock
from slam_ray.store.s3 import S3Location
s3_lock.BEAT_S = 0.1
signal.signal(signal.SIGINT, signal.default_int_handler)  # as every command; a shell ignores it for jobs behind it
with S3Location({str(place)!r}).lock("busy", lambda: None):
    print("locked", flush=True)
    for _ in range(6000):
        time.sleep(0.05)
"""
    suspended = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert suspended.stdout is not None
    assert suspended.stdout.readline() == "locked\n"
    suspended.send_signal(signal.SIGSTOP)
    inside, together = [], []

    def wait(number: int) -> None:
        with place.lock("busy", lambda: None):
            inside.append(number)
            suspended.send_signal(signal.SIGCONT)
            time.sleep(3)
            together.append(len(inside))
            inside.remove(number)

    waiting = [threading.Thread(target=wait, args=[number]) for number in range(2)]
    for thread in waiting:
        thread.start()
    _, errors = suspended.communicate(timeout=300)
    assert suspended.returncode == 1
    assert "InputError: s3://" in errors
    assert "another run has taken this work over; give the same command again" in errors
    for thread in waiting:
        thread.join()
    assert together == [1, 1], "one at a time"
    assert not (place.parent / f"{place.name}.lock").exists()


@pytest.mark.usefixtures("short_times")
def test_another_thread_learns_at_the_end_that_it_has_lost_the_lock(server: S3Server, tmp_path: Path) -> None:
    place, errors = keys(tmp_path.name), []

    def work() -> None:
        try:
            with place.lock("busy", lambda: None):
                (place.parent / f"{place.name}.lock").write_bytes(b"of another run")
        except InputError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(errors) == 1
    assert (place.parent / f"{place.name}.lock").read_bytes() == b"of another run"


def test_a_file_is_replaced_on_the_condition_that_nobody_else_has(server: S3Server, tmp_path: Path) -> None:
    file = keys(tmp_path.name)
    first = file.write_if(None, b"1")
    assert first == file.e_tag()
    assert file.write_if(None, b"2") is None
    assert file.write_if(None, b"1") == first, "the answer to the first request was lost, and it is sent again"
    second = file.write_if(first, b"2")
    assert second not in (None, first)
    assert file.write_if(first, b"3") is None
    assert file.write_if(first, b"2") == second, "as above"
    file.remove()
    assert file.write_if(second, b"4") is None
    assert not file.exists()


def test_a_run_on_a_bucket(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_cache, "FOLDER", tmp_path / "cache")
    url = f"s3://{BUCKET}/{tmp_path.name}/run"
    config = run_config(name="mine", storage=url)
    calls: list[int] = []
    steps = chain(2, calls)
    mine = Run(config, steps[-1:])
    with RayCluster(ExecutionConfig()) as cluster:
        done = mine.make(cluster)
        two = done[steps[1]]
        assert str(mine.keep(two.file("value.txt"))) == f"{url}/runs/mine/value.txt"
        storage = Storage.of(config)
        assert made(chain(2, calls), storage, cluster) == [done[step] for step in steps]
        assert calls == [2, 6]
        assert two.directory is not None
        (two.directory / "value.txt").write_bytes(b"7")
        again = made(chain(2, calls), storage, cluster)
        assert calls == [2, 6, 2]
        assert again[1].file("value.txt").read_text() == "6"
        aside = [name for name in (storage.root / "artifacts" / "product").folders() if ".damaged-" in name]
        assert len(aside) == 1
        assert (storage.root / "artifacts" / "product" / aside[0] / "record.json").exists()
        artifacts = Artifacts(storage)
        fingerprint = artifacts.find(counting_up()).fingerprint
        scratch = storage.root / "artifacts" / "counting-up" / fingerprint / "scratch"
        (scratch / "state").write_bytes(b"41")
        assert artifacts.make(counting_up(), cluster).result.value == 42
        assert scratch.files() == {}
    assert not any(name.endswith(".lock") for name in storage.root.files())


def test_ray_train_leaves_nothing_behind(server: S3Server, tmp_path: Path) -> None:
    place = keys(tmp_path.name)
    told = place.ray_train_storage()
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


def test_what_ray_train_writes_is_read_again_to_the_bit(server: S3Server, tmp_path: Path) -> None:
    place = keys(tmp_path.name)
    told = place.ray_train_storage()
    filesystem, path = told["storage_filesystem"], told["storage_path"]
    # Several at a time, so that memory is used again; small ones go in one request, large ones in parts.
    files = {f"{size}-{copy}": os.urandom(size) for size in (100, 9_000, 300_000, 12_000_000) for copy in range(3)}
    (tmp_path / "here").mkdir()
    for name, content in files.items():
        (tmp_path / "here" / name).write_bytes(content)
    copy_files(str(tmp_path / "here"), path, destination_filesystem=filesystem)
    assert all((place / name).read_bytes() == content for name, content in files.items())
    (tmp_path / "again").mkdir()
    copy_files(path, str(tmp_path / "again"), source_filesystem=filesystem)
    assert all((tmp_path / "again" / name).read_bytes() == content for name, content in files.items())


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


def test_a_storage_that_cannot_be_written_is_said_at_once(server: S3Server) -> None:
    with pytest.raises(
        InputError, match=r"storage: s3://no-such-bucket/x/\.exclusive-.*NoSuchBucket.*AWS_ENDPOINT_URL"
    ):
        location("s3://no-such-bucket/x").check()


@pytest.mark.parametrize(
    "write_if", [lambda place, e_tag, data: "ignores both", lambda place, e_tag, data: e_tag and "ignores If-Match"]
)
def test_a_server_without_conditions_is_refused(
    write_if: Callable[..., str | None], server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys("x").check()
    monkeypatch.setattr(S3Location, "write_if", write_if)
    with pytest.raises(InputError, match=r"does not create exclusively \(If-None-Match\) or replace"):
        keys("x").check()


@pytest.mark.parametrize("url", ["gs://bucket/x", "s3://bucket", "s3://me:secret@bucket/x", "s3://bucket/x?key=secret"])
def test_other_urls_are_refused_and_not_said_back(url: str) -> None:
    with pytest.raises(InputError, match=r"--storage: give a folder, or s3://BUCKET/PREFIX") as raised:
        storage_of(url, "--storage")
    assert "secret" not in str(raised.value)
    assert storage_of("s3://bucket/a/b/", "--storage") == "s3://bucket/a/b"

"""What is fetched from a bucket is kept within a bound, but for what may be in use."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slam_ray.store import download_cache
from slam_ray.store.download_cache import KEPT_S, cached_file


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(download_cache, "FOLDER", tmp_path)
    monkeypatch.setattr(download_cache, "MAX_BYTES", 350)
    return tmp_path


@pytest.fixture
def fetch_in_another_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, float], Path]:
    """Fetch 100 bytes as a process that has ended by now, so many seconds ago."""

    def fetch(digest: str, ago: float) -> Path:
        with monkeypatch.context() as patch:
            patch.setattr(download_cache, "_returned", set())
            file = cached_file(digest, "file", write)
        os.utime(file, (time.time() - ago,) * 2)
        return file

    return fetch


def write(draft: Path) -> None:
    draft.parent.mkdir(exist_ok=True)
    draft.write_bytes(b"x" * 100)


def test_the_least_recently_used_files_are_removed(
    folder: Path, fetch_in_another_process: Callable[[str, float], Path]
) -> None:
    old, older, mine = (fetch_in_another_process(name, KEPT_S * days) for name, days in (("a", 2), ("b", 3), ("c", 4)))
    assert cached_file("c", "file", Path.unlink) == mine, "it is fetched once"
    os.utime(mine, (0, 0))
    draft = older.with_name("file.0123.draft")  # of a killed run
    draft.write_bytes(b"x" * 100)
    os.utime(draft, (time.time() - KEPT_S * 5,) * 2)
    new = cached_file("d", "file", write)
    assert sorted(folder.glob("*/*")) == [old, mine, new], "a path that this process was given stays"
    assert not older.parent.exists()


def test_what_was_used_in_the_last_day_stays_beyond_the_bound(
    folder: Path, fetch_in_another_process: Callable[[str, float], Path]
) -> None:
    files = [fetch_in_another_process(digest, KEPT_S * 0.9) for digest in "abcde"]
    assert sorted(folder.glob("*/*")) == files


def test_what_could_not_be_fetched_leaves_nothing(folder: Path) -> None:
    def fetch(draft: Path) -> None:
        write(draft)
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        cached_file("a", "file", fetch)
    assert not list(folder.glob("*/*"))

"""A place in a storage: a folder, or the keys of an S3 bucket under a prefix, with the few operations artifacts need.

Both write a file whole or not at all, and create one exclusively: on that alone rests that nothing finished is lost.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, Any, Protocol, Self

from filelock import FileLock, Timeout

from slam_ray.config import S3, InputError
from slam_ray.pipeline.content import sha256

if TYPE_CHECKING:
    from obstore.store import S3Store

# How long a request is tried again: a storage may be away for a minute or two.
RETRY_S = 180
# At preflight a storage that does not answer is an error, not to be waited for.
CHECK_S = 10
# A claim that has not moved for so long is a dead run's.
BEAT_S, SILENT_S = 10.0, 45.0
FETCHED = Path("~/.cache/slam_ray/storage")


@dataclass(frozen=True)
class FileState:
    """Bytes of a file, and when it was written, in seconds since 1970."""

    size: int
    modified: float


class Location(Protocol):
    """A file or a folder; which of the two, its use says. Errors of the storage are OSError."""

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> Self: ...
    def __truediv__(self, name: str) -> Self: ...
    def read_bytes(self) -> bytes:
        """Content of the file; raises FileNotFoundError."""

    def write_bytes(self, data: bytes) -> object:
        """Put a whole file here, in the place of one that was; its folder need not exist."""

    def create(self, data: bytes) -> bool:
        """Put a whole file here if there is none; False if there is one."""

    def exists(self) -> bool:
        """Is there such a file?"""

    def sha256(self) -> str:
        """Of the file's bytes, in hexadecimal digits."""

    def files(self) -> dict[str, FileState]:
        """The files in this folder at any depth, by name within it; {} where there is none."""

    def folders(self) -> list[str]:
        """Names of the folders in this folder, sorted."""

    def remove(self) -> None:
        """Remove the file or the folder, if it is there."""

    def rename(self, target: Self) -> object:
        """Move the folder."""

    def fetched(self, digest: str) -> Path:
        """The file on this machine; `digest` is its SHA-256. Raises InputError if a fetched one has another."""

    def working(self) -> contextlib.AbstractContextManager[Path]:
        """A folder on this machine to write into; what is in it at the end is here."""

    def copied(self) -> contextlib.AbstractContextManager[Path]:
        """A folder on this machine that holds what is in this one, to read."""

    def turn(self, busy: str, release: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """Wait until no other run is at work here; until the end this one is.

        If one is, `busy` is said and `release` called, once.
        """

    def check(self) -> None:
        """Raise InputError if no storage can be here."""

    def for_arrow(self) -> dict[str, Any]:
        """How Ray Train is told of this folder: `storage_path` and, if it is no local one, `storage_filesystem`."""


def location(place: str | Path) -> Location:
    """The location of a folder's path or of an s3:// URL."""
    return Keys(place) if isinstance(place, str) and place.startswith(S3) else Folder(place)


class Folder(PosixPath):
    """A file or a folder that this machine mounts."""

    def write_bytes(self, data: Any) -> int:
        """See `Location`."""
        with self._draft(data) as draft:
            draft.replace(self)
        return len(data)

    def create(self, data: bytes) -> bool:
        """See `Location`. A hard link is an exclusive create whose content is whole from the first moment."""
        with self._draft(data) as draft:
            try:
                os.link(draft, self)
            except FileExistsError:
                return False
        return True

    @contextlib.contextmanager
    def _draft(self, data: bytes) -> Iterator[Path]:
        self.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(self.parent / f".{self.name}.{secrets.token_hex(6)}.draft")
        try:
            draft.write_bytes(data)
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def sha256(self) -> str:
        """See `Location`."""
        return sha256(self)

    def files(self) -> dict[str, FileState]:
        """See `Location`. What a link leads to elsewhere is no file of this folder."""
        home, found = self.resolve(), {}
        for file in self.rglob("*"):
            if file.is_file() and file.resolve().is_relative_to(home):
                state = file.stat()
                found[file.relative_to(self).as_posix()] = FileState(state.st_size, state.st_mtime)
        return found

    def folders(self) -> list[str]:
        """See `Location`."""
        return sorted(folder.name for folder in self.glob("*/"))

    def remove(self) -> None:
        """See `Location`."""
        if self.is_dir():
            shutil.rmtree(self)
        else:
            self.unlink(missing_ok=True)

    def fetched(self, digest: str) -> Path:
        """See `Location`. It is here already."""
        return Path(self)

    @contextlib.contextmanager
    def working(self) -> Iterator[Path]:
        """See `Location`."""
        self.mkdir(parents=True, exist_ok=True)
        yield Path(self)

    @contextlib.contextmanager
    def copied(self) -> Iterator[Path]:
        """See `Location`. It is this one."""
        yield Path(self)

    @contextlib.contextmanager
    def turn(self, busy: str, release: Callable[[], None]) -> Iterator[None]:
        """See `Location`. Where locks do not hold, as on some network's storages, nobody is waited for."""
        self.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            print(busy, flush=True)
            release()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def for_arrow(self) -> dict[str, Any]:
        """See `Location`."""
        return {"storage_path": str(self)}

    def check(self) -> None:
        """Raise InputError if this can be no folder."""
        there = next(folder for folder in (self, *self.parents) if folder.exists())
        if not there.is_dir():
            raise InputError(f"storage: {there} is a file; give a folder, which need not exist yet")


@dataclass(frozen=True)
class Keys:
    """What lies under an s3:// URL; endpoint and credentials are AWS's environment variables, or the machine's role."""

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> "Keys":
        return Keys(f"{self.url}/{name}")

    @property
    def name(self) -> str:
        """Last part of the URL."""
        return self.url.rpartition("/")[2]

    @property
    def parent(self) -> "Keys":
        """The URL without its last part."""
        return Keys(self.url.rpartition("/")[0])

    def read_bytes(self) -> bytes:
        """See `Location`."""
        import obstore

        with self._said():
            return obstore.get(self._store, self._key).bytes().to_bytes()

    def write_bytes(self, data: bytes | Path) -> None:
        """See `Location`; also the content of a local file."""
        import obstore

        with self._said():
            obstore.put(self._store, self._key, data)

    def create(self, data: bytes) -> bool:
        """See `Location`. S3 does so on the condition If-None-Match.

        Where the answer to a request was lost and it was sent again, it is the content that says who came first.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._said():
            try:
                obstore.put(self._store, self._key, data, mode="create")
            except AlreadyExistsError:
                return self.read_bytes() == data
        return True

    def exists(self) -> bool:
        """See `Location`."""
        import obstore

        with self._said():
            try:
                obstore.head(self._store, self._key)
            except FileNotFoundError:
                return False
        return True

    def sha256(self) -> str:
        """See `Location`."""
        import obstore

        digest = hashlib.sha256()
        with self._said():
            for chunk in obstore.get(self._store, self._key):
                digest.update(chunk)
        return digest.hexdigest()

    def files(self) -> dict[str, FileState]:
        """See `Location`."""
        import obstore

        prefix = f"{self._key}/"
        with self._said():
            return {
                item["path"].removeprefix(prefix): FileState(item["size"], item["last_modified"].timestamp())
                for page in obstore.list(self._store, prefix)
                for item in page
            }

    def folders(self) -> list[str]:
        """See `Location`."""
        import obstore

        with self._said():
            found = obstore.list_with_delimiter(self._store, f"{self._key}/")["common_prefixes"]
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found)

    def remove(self) -> None:
        """See `Location`."""
        import obstore

        with self._said():
            obstore.delete(self._store, [self._key, *(f"{self._key}/{name}" for name in self.files())])

    def rename(self, target: "Keys") -> None:
        """See `Location`. File by file: a kill in between leaves some at either place."""
        import obstore

        with self._said():
            for name in self.files():
                obstore.rename(self._store, f"{self._key}/{name}", f"{target._key}/{name}")

    def fetched(self, digest: str) -> Path:
        """See `Location`. It is kept in the home folder's cache under its digest, so it is fetched once a machine."""
        file = FETCHED.expanduser() / digest / self.name
        if not file.exists():
            draft = file.with_name(f"{file.name}.{secrets.token_hex(6)}.draft")
            try:
                self._fetch(draft)
                if sha256(draft) != digest:
                    raise InputError(f"{self} was altered; run again: what is damaged is made anew")
                draft.replace(file)
            finally:
                draft.unlink(missing_ok=True)
        return file

    @contextlib.contextmanager
    def working(self) -> Iterator[Path]:
        """See `Location`."""
        with tempfile.TemporaryDirectory(prefix="slam-ray-") as folder:
            yield Path(folder)
            for name in Folder(folder).files():
                (self / name).write_bytes(Path(folder, name))

    @contextlib.contextmanager
    def copied(self) -> Iterator[Path]:
        """See `Location`."""
        with tempfile.TemporaryDirectory(prefix="slam-ray-") as folder:
            for name in self.files():
                (self / name)._fetch(Path(folder, name))
            yield Path(folder)

    def _fetch(self, file: Path) -> None:
        import obstore

        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream, self._said():
            for chunk in obstore.get(self._store, self._key):
                stream.write(chunk)

    @contextlib.contextmanager
    def turn(self, busy: str, release: Callable[[], None]) -> Iterator[None]:
        """See `Location`: a claim that its run rewrites every few seconds; one that stands still is taken over."""
        claim = Keys(f"{self.url}.lock")
        own = secrets.token_hex(8)
        seen, still, told = b"", 0, False
        while not claim.create(f"{own} 0".encode()):
            if not told:
                print(f"{busy} (or until it has been silent for {SILENT_S:.0f} s)", flush=True)
                release()
                told = True
            with contextlib.suppress(FileNotFoundError):
                now = claim.read_bytes()
                # In looks of a second each, not by the clock: while the storage is away no claim can move.
                seen, still = now, still + 1 if now == seen else 0
            if still > SILENT_S:
                claim.remove()
            time.sleep(1)
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_S):
                with contextlib.suppress(OSError):  # an outage is the work's to meet
                    claim.write_bytes(f"{own} {time.time()}".encode())

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            yield
        finally:
            ended.set()
            beating.join()
            with contextlib.suppress(FileNotFoundError):  # it was taken over, by a run that is done by now
                if claim.read_bytes().startswith(own.encode()):
                    claim.remove()

    def for_arrow(self) -> dict[str, Any]:
        """See `Location`."""
        from pyarrow.fs import PyFileSystem

        from slam_ray.pipeline.arrow import WithoutFolders

        filesystem = PyFileSystem(WithoutFolders(os.environ.get("AWS_ENDPOINT_URL"), _remove))
        return {"storage_path": self.url.removeprefix(S3), "storage_filesystem": filesystem}

    def check(self) -> None:
        """Raise InputError if nothing can be written here, or two writers could both create the same file."""
        import obstore

        probe = Keys(f"{self.url}/.exclusive-{secrets.token_hex(6)}")
        try:
            with probe._said():
                obstore.put(_store(probe._bucket, CHECK_S), probe._key, b"1")
            exclusive = not probe.create(b"2")
            probe.remove()
        except OSError as error:
            raise InputError(
                f"storage: {error}; set AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
                " give the machines a role, that may read, write, list and delete there"
            ) from None
        if not exclusive:
            raise InputError(
                f"storage: {self} does not create exclusively (If-None-Match), so two runs could overwrite each other's"
                " results; take another S3 server or a folder"
            )

    @property
    def _bucket(self) -> str:
        return self.url.removeprefix(S3).partition("/")[0]

    @property
    def _key(self) -> str:
        return self.url.removeprefix(S3).partition("/")[2]

    @property
    def _store(self) -> "S3Store":
        return _store(self._bucket, RETRY_S)

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """Say an error of the store in one line, as an OSError; it comes with its whole inside."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as error:
            said, inside, _ = str(error).partition("\n\nDebug source")
            if isinstance(error, OSError) and not inside:
                raise
            kind = type(error) if isinstance(error, OSError) else OSError
            raise kind(f"{self}: {' '.join(said.split())}") from None


def _remove(path: str) -> None:
    Keys(S3 + path).remove()


@cache
def _store(bucket: str, retry_s: float) -> "S3Store":
    from obstore.store import S3Store

    return S3Store(
        bucket,
        client_options={"allow_http": True},
        retry_config={
            "max_retries": 1000,
            "retry_timeout": timedelta(seconds=retry_s),
            "backoff": {
                "init_backoff": timedelta(seconds=0.2),
                "max_backoff": timedelta(seconds=5),
                "base": 2,
            },
        },
    )

"""A storage in a folder that this machine mounts."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path, PosixPath
from typing import Any

from filelock import FileLock, Timeout

from slam_ray.config import InputError
from slam_ray.store.hashing import sha256
from slam_ray.store.location import FileState


class LocalLocation(PosixPath):
    """The place of a file or a folder on this machine; `Location` says what its methods do."""

    def write_bytes(self, data: Any) -> int:
        with self._draft(data) as draft:
            draft.replace(self)
        return len(data)

    def create(self, data: bytes) -> bool:
        with self._draft(data) as draft:
            try:
                # A hard link is created exclusively, and its content is whole from the first moment.
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
        return sha256(self)

    def files(self) -> dict[str, FileState]:
        home, found = self.resolve(), {}
        for file in self.rglob("*"):
            # The target of a link to elsewhere is no file of this folder.
            if file.is_file() and file.resolve().is_relative_to(home):
                state = file.stat()
                found[file.relative_to(self).as_posix()] = FileState(state.st_size, state.st_mtime)
        return found

    def folders(self) -> list[str]:
        return sorted(folder.name for folder in self.glob("*/"))

    def remove(self) -> None:
        if self.is_dir():
            shutil.rmtree(self)
        else:
            self.unlink(missing_ok=True)

    def local_file(self, digest: str) -> Path:
        return Path(self)

    @contextlib.contextmanager
    def local_folder(self) -> Iterator[Path]:
        yield Path(self)

    @contextlib.contextmanager
    def staging_folder(self) -> Iterator[Path]:
        self.mkdir(parents=True, exist_ok=True)
        yield Path(self)

    @contextlib.contextmanager
    def lock(self, message: str, before_waiting: Callable[[], None]) -> Iterator[None]:
        """The system frees the lock of a run that ends. On network storages without locks no run waits for another."""
        self.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            print(message, flush=True)
            before_waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def check(self) -> None:
        nearest = next(folder for folder in (self, *self.parents) if folder.exists())
        if not nearest.is_dir():
            raise InputError(f"storage: {nearest} is a file; give a folder, which need not exist yet")

    def ray_train_storage(self) -> dict[str, Any]:
        return {"storage_path": str(self)}

"""A place in a storage: a folder, or the keys of an S3 bucket under a prefix, with the few operations artifacts need.

Both write a file whole or not at all, and create one exclusively. Nothing finished is lost because of these two alone.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self


@dataclass(frozen=True)
class FileState:
    """Bytes of a file, and when it was written, in seconds since 1970."""

    size: int
    modified: float


class Location(Protocol):
    """The place of a file or of a folder, depending on the operation. Errors of the storage are OSError."""

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> Self: ...
    def __truediv__(self, name: str) -> Self: ...
    def read_bytes(self) -> bytes:
        """Content of the file; raises FileNotFoundError."""

    def write_bytes(self, data: bytes) -> object:
        """Write the whole file and replace an earlier one; its folder need not exist."""

    def create(self, data: bytes) -> bool:
        """Write the whole file if there is none; False if there is one."""

    def exists(self) -> bool:
        """Whether there is such a file."""

    def sha256(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal digits."""

    def files(self) -> dict[str, FileState]:
        """The files in this folder at any depth, by name within it; {} where there is none."""

    def folders(self) -> list[str]:
        """Names of the folders in this folder, sorted."""

    def remove(self) -> None:
        """Remove the file or the folder, if it exists."""

    def rename(self, target: Self) -> object:
        """Move the folder."""

    def local_file(self, digest: str) -> Path:
        """The file on this machine; `digest` is its SHA-256. Raises InputError if a fetched one has another."""

    def local_folder(self) -> AbstractContextManager[Path]:
        """A folder on this machine with the files of this one, to read."""

    def staging_folder(self) -> AbstractContextManager[Path]:
        """A folder on this machine to write into; at the end of the block its files are here."""

    def lock(self, message: str, before_waiting: Callable[[], None]) -> AbstractContextManager[None]:
        """Let one run at a time work here.

        If another run does, print `message`, call `before_waiting`, and wait until it has ended.

        Raises:
            InputError: this run was silent for long, and another one has taken the lock over. In the main thread the
                block is interrupted for that; in another thread it is raised at the end of the block.
        """

    def check(self) -> None:
        """Raise InputError if no storage can be here."""

    def ray_train_storage(self) -> dict[str, Any]:
        """Ray Train's arguments for this folder: `storage_path` and, unless it is local, `storage_filesystem`."""

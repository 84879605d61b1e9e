"""Identity of a file by its content, wherever it lies."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


def sha256(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class FileContent:
    """A file as an input of a step."""

    path: Path

    @cached_property
    def fingerprint(self) -> str:
        """The same for equal bytes."""
        return sha256(self.path)

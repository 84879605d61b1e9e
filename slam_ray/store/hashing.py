"""The hash of a file's content, by which it is recognised wherever it lies."""

import hashlib
from pathlib import Path


def sha256(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

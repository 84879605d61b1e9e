"""A bucket as a file system of pyarrow's, for Ray Train.

pyarrow's own leaves an empty object wherever a folder is made or something is removed, and nothing ever removes those.
"""

from io import RawIOBase
from typing import Any

from obstore.fsspec import FsspecStore
from pyarrow import PythonFile
from pyarrow.fs import FSSpecHandler, PyFileSystem


def s3_filesystem(**options: Any) -> PyFileSystem:
    """The file system whose paths are "bucket/key"; `options` are those of obstore's stores."""
    return PyFileSystem(_Handler(FsspecStore("s3", **options)))


class _Handler(FSSpecHandler):
    def open_output_stream(self, path: str, metadata: Any) -> PythonFile:
        return PythonFile(_Copies(self.fs.open(path, "wb")), mode="w")


class _Copies(RawIOBase):
    """A file that is written as copies: obstore reads what it was given later, when pyarrow has given up the memory."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        copy = bytes(data)
        self._file.write(copy)
        return len(copy)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

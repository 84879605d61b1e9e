"""A bucket as a file system of pyarrow's, for Ray Train.

pyarrow's own leaves an empty object wherever a folder is made or something is removed, and nothing ever removes those.
"""

from io import BufferedWriter
from typing import Any

from obstore.fsspec import FsspecStore
from pyarrow import PythonFile
from pyarrow.fs import FSSpecHandler, PyFileSystem


def s3_filesystem(**options: Any) -> PyFileSystem:
    """The file system whose paths are "bucket/key"; `options` are those of obstore's stores."""
    return PyFileSystem(_Handler(FsspecStore("s3", **options)))


class _Handler(FSSpecHandler):
    def open_output_stream(self, path: str, metadata: Any) -> PythonFile:
        # pyarrow writes buffers of signed bytes, which obstore refuses; the writer in between makes them unsigned.
        return PythonFile(BufferedWriter(self.fs.open(path, "wb")), mode="w")

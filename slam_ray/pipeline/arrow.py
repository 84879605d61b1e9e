"""A bucket as Ray Train uses it: pyarrow's S3 file system, without the empty objects by which that stands for folders.

It leaves one wherever a folder is made or something is removed, and nothing else would ever take them away.
"""

from collections.abc import Callable
from typing import Any

from pyarrow.fs import AwsStandardS3RetryStrategy, FileSystemHandler, S3FileSystem

ATTEMPTS = 20  # of a request, with longer and longer pauses: four and a half minutes to a server that is away


class WithoutFolders(FileSystemHandler):
    """All but making and removing is pyarrow's.

    Args:
        endpoint: of a server that is not AWS's.
        remove: removes what lies under "bucket/key", and that itself.
    """

    def __init__(self, endpoint: str | None, remove: Callable[[str], None]) -> None:
        retry = AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS)
        self._s3 = S3FileSystem(retry_strategy=retry, **({"endpoint_override": endpoint} if endpoint else {}))
        self._remove = remove

    def get_type_name(self) -> str:
        return "s3-without-folders"

    def create_dir(self, path: str, recursive: bool) -> None:
        """There are none."""

    def delete_dir(self, path: str) -> None:
        self._remove(path)

    def delete_file(self, path: str) -> None:
        self._remove(path)

    def get_file_info(self, paths: list[str]) -> Any:
        return self._s3.get_file_info(paths)

    def get_file_info_selector(self, selector: Any) -> Any:
        return self._s3.get_file_info(selector)

    def open_input_stream(self, path: str) -> Any:
        return self._s3.open_input_stream(path)

    def open_input_file(self, path: str) -> Any:
        return self._s3.open_input_file(path)

    def open_output_stream(self, path: str, metadata: Any) -> Any:
        return self._s3.open_output_stream(path, metadata=metadata)

    def normalize_path(self, path: str) -> str:
        return path

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        raise NotImplementedError

    def delete_root_dir_contents(self) -> None:
        raise NotImplementedError

    def move(self, src: str, dest: str) -> None:
        raise NotImplementedError

    def copy_file(self, src: str, dest: str) -> None:
        raise NotImplementedError

    def open_append_stream(self, path: str, metadata: Any) -> Any:
        raise NotImplementedError

"""A storage in an S3 bucket: the keys under a prefix."""

import contextlib
import hashlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from slam_ray.config import S3, InputError
from slam_ray.store.download_cache import cached_file
from slam_ray.store.hashing import sha256
from slam_ray.store.local import LocalLocation
from slam_ray.store.location import FileState
from slam_ray.store.s3_lock import s3_lock

# How long a request is tried again: a storage may be away for a minute or two.
RETRY_S = 180
# At preflight a storage that does not answer is an error, not to be waited for.
CHECK_S = 10


@dataclass(frozen=True)
class S3Location:
    """An s3:// URL; `Location` says what its methods do.

    Endpoint and credentials are AWS's environment variables, or the machine's role.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> "S3Location":
        return S3Location(f"{self.url}/{name}")

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def parent(self) -> "S3Location":
        return S3Location(self.url.rpartition("/")[0])

    def read_bytes(self) -> bytes:
        with self._one_line_errors():
            return obstore.get(self._store, self._key).bytes().to_bytes()

    def write_bytes(self, data: bytes | Path) -> None:
        """Write the bytes, or the content of a local file."""
        with self._one_line_errors():
            obstore.put(self._store, self._key, data)

    def create(self, data: bytes) -> bool:
        return self.write_if(None, data) is not None

    def write_if(self, e_tag: str | None, data: bytes) -> str | None:
        """Write the whole file if the one here has this e-tag (None: if there is none); its new e-tag, None if not.

        S3 does so on the conditions If-Match and If-None-Match. Where the answer to a request was lost and it was sent
        again, the content tells whose file it is; so `data` has to be the writer's alone.
        """
        with self._one_line_errors():
            try:
                return obstore.put(self._store, self._key, data, mode={"e_tag": e_tag} if e_tag else "create")["e_tag"]
            except (AlreadyExistsError, PreconditionError):
                with contextlib.suppress(FileNotFoundError):
                    found = obstore.get(self._store, self._key)
                    if found.bytes() == data:
                        return found.meta["e_tag"]
                return None

    def e_tag(self) -> str | None:
        """The e-tag of the file's content; None if there is no file."""
        with self._one_line_errors():
            try:
                return obstore.head(self._store, self._key)["e_tag"]
            except FileNotFoundError:
                return None

    def exists(self) -> bool:
        return self.e_tag() is not None

    def sha256(self) -> str:
        digest = hashlib.sha256()
        with self._one_line_errors():
            for chunk in obstore.get(self._store, self._key):
                digest.update(chunk)
        return digest.hexdigest()

    def files(self) -> dict[str, FileState]:
        prefix = f"{self._key}/"
        with self._one_line_errors():
            return {
                item["path"].removeprefix(prefix): FileState(item["size"], item["last_modified"].timestamp())
                for page in obstore.list(self._store, prefix)
                for item in page
            }

    def folders(self) -> list[str]:
        with self._one_line_errors():
            prefixes = obstore.list_with_delimiter(self._store, f"{self._key}/")["common_prefixes"]
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in prefixes)

    def remove(self) -> None:
        with self._one_line_errors():
            obstore.delete(self._store, [self._key, *(f"{self._key}/{name}" for name in self.files())])

    def rename(self, target: "S3Location") -> None:
        """Move file by file; a kill in between leaves some at either place."""
        with self._one_line_errors():
            for name in self.files():
                obstore.rename(self._store, f"{self._key}/{name}", f"{target._key}/{name}")

    def local_file(self, digest: str) -> Path:
        def fetch(draft: Path) -> None:
            self._download(draft)
            if sha256(draft) != digest:
                raise InputError(f"{self} was altered; run again: what is damaged is made anew")

        return cached_file(digest, self.name, fetch)

    @contextlib.contextmanager
    def local_folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="slam-ray-") as folder:
            for name in self.files():
                (self / name)._download(Path(folder, name))
            yield Path(folder)

    @contextlib.contextmanager
    def staging_folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="slam-ray-") as folder:
            yield Path(folder)
            for name in LocalLocation(folder).files():
                (self / name).write_bytes(Path(folder, name))

    def _download(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream, self._one_line_errors():
            for chunk in obstore.get(self._store, self._key):
                stream.write(chunk)

    def lock(self, message: str, before_waiting: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        return s3_lock(S3Location(f"{self.url}.lock"), message, before_waiting)

    def check(self) -> None:
        """Raise InputError if nothing can be written here, or the server ignores conditions."""
        probe = S3Location(f"{self.url}/.exclusive-{secrets.token_hex(6)}")
        try:
            with probe._one_line_errors():
                first = obstore.put(S3Store(probe._bucket, **_options(CHECK_S)), probe._key, b"1")["e_tag"]
            conditional = not probe.create(b"2") and probe.write_if(first, b"3") and not probe.write_if(first, b"4")
            probe.remove()
        except OSError as error:
            raise InputError(
                f"storage: {error}; set AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
                " give the machines a role, that may read, write, list and delete there"
            ) from None
        if not conditional:
            raise InputError(
                f"storage: {self} does not create exclusively (If-None-Match) or replace on a condition (If-Match), so"
                " two runs could overwrite each other's results; take another S3 server or a folder"
            )

    def ray_train_storage(self) -> dict[str, Any]:
        from slam_ray.store.s3_filesystem import s3_filesystem  # pyarrow loads slowly

        return {
            "storage_path": self.url.removeprefix(S3),
            "storage_filesystem": s3_filesystem(**_options(RETRY_S)),
        }

    @property
    def _bucket(self) -> str:
        return self.url.removeprefix(S3).partition("/")[0]

    @property
    def _key(self) -> str:
        return self.url.removeprefix(S3).partition("/")[2]

    @property
    def _store(self) -> S3Store:
        return _store(self._bucket)

    @contextlib.contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Raise an error of obstore's, whose message holds its whole inside, as an OSError with one line."""
        try:
            yield
        except (BaseError, OSError) as error:
            message, inside, _ = str(error).partition("\n\nDebug source")
            if isinstance(error, OSError) and not inside:
                raise
            kind = type(error) if isinstance(error, OSError) else OSError
            raise kind(f"{self}: {' '.join(message.split())}") from None


@cache
def _store(bucket: str) -> S3Store:
    return S3Store(bucket, **_options(RETRY_S))


def _options(retry_s: float) -> dict[str, Any]:
    backoff = {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=5), "base": 2}
    retry = {"max_retries": 1000, "retry_timeout": timedelta(seconds=retry_s), "backoff": backoff}
    return {"client_options": {"allow_http": True}, "retry_config": retry}

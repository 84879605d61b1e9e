"""Rows that lie together: a file, or a split of one subset of a dataset on the Hugging Face Hub."""

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from slam_ray.config import InputError
from slam_ray.corpora.tables import UNTYPED, Row
from slam_ray.pipeline.content import sha256

if TYPE_CHECKING:
    from datasets import Dataset

T = TypeVar("T")


@dataclass(frozen=True)
class FilePart:
    """A file, read by one of the functions of tables.py."""

    file: Path
    parse: Callable[[Path], Iterator[Row]]

    @property
    def label(self) -> str:
        """Where the rows are from, for messages; a row's number follows it."""
        return str(self.file)

    @property
    def typed(self) -> bool:
        """Whether a number and its text are told apart here, as JSON does."""
        return self.file.suffix not in UNTYPED

    @cached_property
    def fingerprint(self) -> str:
        """The same for equal bytes."""
        return sha256(self.file)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.file.stat().st_size

    def rows(self) -> Iterator[Row]:
        """Each row with its number, counted from 1."""
        return self.parse(self.file)


@dataclass(frozen=True)
class HubPart:
    """A split of a subset on the Hub: fetched at its first use, then kept in the cache of `datasets`."""

    hub: str
    subset: str | None
    split: str
    revision: str | None

    typed = False

    @property
    def label(self) -> str:
        """Where the rows are from, for messages; a row's number follows it."""
        return f"{self.hub} ({' '.join(filter(None, (self.subset, self.split)))})"

    @cached_property
    def fingerprint(self) -> str:
        """The same for equal rows, whatever they are called on the Hub."""
        digest = hashlib.sha256()
        for _, row in self.rows():
            digest.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
        return digest.hexdigest()

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return int(_fetched(self).data.nbytes)

    def rows(self) -> Iterator[Row]:
        """Each row with its number, counted from 1."""
        return enumerate(_fetched(self), start=1)


Part = FilePart | HubPart


@functools.cache
def hub_subsets(hub: str, revision: str | None) -> list[str]:
    """Names of the subsets ("configurations") of a dataset on the Hub."""
    from datasets import get_dataset_config_names

    return _from_hub(hub, lambda: list(get_dataset_config_names(hub, revision=revision)))


@functools.cache
def _fetched(part: HubPart) -> "Dataset":
    from datasets import load_dataset

    load = functools.partial(load_dataset, part.hub, part.subset, split=part.split, revision=part.revision)
    return _from_hub(part.label, load)


def _from_hub(what: str, fetch: Callable[[], T]) -> T:
    try:
        return fetch()
    # What `datasets` raises for: no such dataset, no access, no network; no such subset or split; a loading script.
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot read {what} from the Hugging Face Hub: {error}") from None

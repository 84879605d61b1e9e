"""From what the configuration names to records: sources are opened, which finds their files, and then read."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic

from slam_ray.config import InputError, Section, SourceConfig, Sources, nearest
from slam_ray.corpora.formats import FORMATS
from slam_ray.corpora.formats.layout import Format, Parts, Reader
from slam_ray.corpora.formats.own import Record, identity
from slam_ray.corpora.parts import FilePart, HubPart, hub_subsets
from slam_ray.corpora.records import Pair, Problem, Question

MAX_BYTES = 2**30
KINDS = {Question: "questions", Pair: "pairs", Problem: "problems"}


class Reading(Section):
    """What of a source's configuration decides its records, beside their content."""

    format: str
    columns: dict[str, str]
    values: dict[str, str]


@dataclass(frozen=True)
class Source:
    """A source whose files, or subsets on the Hub, are there.

    Attributes:
        key: its key in the configuration.
        config: its section there.
        parts: by the names that its format knows them by.
    """

    key: str
    config: SourceConfig
    parts: Parts

    @property
    def format(self) -> Format:
        """Its layout."""
        return FORMATS[self.config.format]

    @property
    def place(self) -> str:
        """Its path, or its name on the Hub."""
        return self.config.path or self.config.hub or ""

    @property
    def label(self) -> str:
        """Key and place, for messages."""
        return f"{self.key} ({self.place})"

    @property
    def reading(self) -> Reading:
        """What of its configuration decides its records."""
        return Reading(format=self.config.format, columns=self.config.columns, values=self.config.values)

    @cached_property
    def fingerprint(self) -> str:
        """The same for equal content, wherever it lies."""
        parts = "".join(f"{name} {part.fingerprint}\n" for name, part in self.parts.items())
        return hashlib.sha256(parts.encode()).hexdigest()


@dataclass(frozen=True)
class Corpus(Generic[Record]):
    """Records of one kind from one or more sources, and how many of them published corpora held repeatedly."""

    records: list[Record]
    repeated: int


def opened(sources: Sources, key: str) -> tuple[Source, ...]:
    """The sources that the configuration names under `key`.

    Raises:
        InputError: no such file, format or dataset; nothing of the format there; too much of it.
    """
    if isinstance(sources, tuple):
        return tuple(_opened(source, f"{key}.{index}") for index, source in enumerate(sources))
    return (_opened(sources, key),)


def read(sources: Sequence[Source], kind: type[Record]) -> Corpus[Record]:
    """All records of a kind, source by source in their order.

    Raises:
        InputError: a format cannot give this kind; a row cannot be used; a record of one's own repeats another.
    """
    records: dict[tuple[str, ...], Record] = {}
    origin: dict[tuple[str, ...], Source] = {}
    repeated = 0
    for source in sources:
        for record in _reader(source, kind)(source.parts, source.config):
            key = identity(record)
            if key not in records:
                records[key], origin[key] = record, source
            elif source.format.own or (source.format.numbered and origin[key] is not source):
                raise InputError(
                    f"{source.label}: repeats {' '.join(key)} of {origin[key].label};"
                    " sources read together need ids of their own"
                )
            else:
                repeated += 1
    return Corpus(list(records.values()), repeated)


def _opened(source: str | SourceConfig, key: str) -> Source:
    config = SourceConfig(path=source) if isinstance(source, str) else source
    if config.format not in FORMATS:
        raise InputError(f"{key}.format: unknown format {config.format!r}: {nearest(config.format, FORMATS)}")
    parts = _hub_parts(config, key) if config.path is None else _file_parts(config, Path(config.path), key)
    if sum(part.size for part in parts.values()) > MAX_BYTES:
        where = config.path or config.hub
        raise InputError(f"{key}: {where} is over 1 GiB; one process prepares a corpus, so give a sample of it")
    return Source(key, config, parts)


def _file_parts(config: SourceConfig, path: Path, key: str) -> Parts:
    format_ = FORMATS[config.format]
    if not path.exists():
        raise InputError(f"{key}: no such file or folder: {path}; give a {format_.layout}")
    files = format_.files(path, config.split or format_.split)
    if not files or not all(file.is_file() for file in files.values()):
        raise InputError(f"{key}: {path} holds no {format_.layout} of split {config.split or format_.split!r}")
    return {name: FilePart(file, format_.parse) for name, file in files.items()}


def _hub_parts(config: SourceConfig, key: str) -> Parts:
    assert config.hub is not None
    format_ = FORMATS[config.format]
    subsets = {"": config.subset} if format_.own else format_.subsets
    if not subsets:
        raise InputError(f"{key}: format {config.format} is not on the Hub; give the path of its files")
    if any(subsets.values()) and not format_.own:
        there = hub_subsets(config.hub, config.revision)
        subsets = {name: subset for name, subset in subsets.items() if subset in there}
    if not subsets:
        raise InputError(
            f"{key}: {config.hub} has no subset that format {config.format} knows; it has {' '.join(there)}"
        )
    split = config.split or format_.split
    return {name: HubPart(config.hub, subset, split, config.revision) for name, subset in subsets.items()}


def _reader(source: Source, kind: type[Record]) -> Reader:
    if kind not in source.format.readers:
        able = [name for name, format_ in FORMATS.items() if kind in format_.readers]
        gives = " and ".join(KINDS[each] for each in source.format.readers)
        raise InputError(
            f"{source.label}: format {source.config.format} gives {gives}, not {KINDS[kind]};"
            f" these do: {', '.join(able)}"
        )
    return source.format.readers[kind]

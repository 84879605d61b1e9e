"""From what the configuration names to records: sources are opened, which finds their files, and then read."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic

from slam_ray.config import InputError, Section, SourceConfig, Sources
from slam_ray.config.schema import ProblemPart
from slam_ray.corpora.formats import FORMATS, format_of
from slam_ray.corpora.formats.layout import Format, Parts, Reader
from slam_ray.corpora.formats.own import Record, identity
from slam_ray.corpora.hub import Fetched, part_file, source_title
from slam_ray.corpora.parts import Part
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.splits import part_of
from slam_ray.corpora.tables import parquet
from slam_ray.pipeline.step import Artifact

MAX_BYTES = 2**30
KINDS = {Question: "questions", Pair: "pairs", Problem: "problems"}


class Reading(Section):
    """What of a source's configuration decides its records, beside their content."""

    format: str
    columns: dict[str, str]
    values: dict[str, str]
    part: ProblemPart | None


@dataclass(frozen=True)
class Source:
    """A source whose files are there.

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
        config = self.config
        return Reading(format=config.format, columns=config.columns, values=config.values, part=config.part)

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


def opened(sources: Sources | None, key: str, fetched: Mapping[str, Artifact[Any]]) -> tuple[Source, ...]:
    """The sources that the configuration names under `key`.

    Args:
        sources: from the configuration.
        key: for messages.
        fetched: among others, what was fetched from the Hub, by `source_title`.

    Raises:
        InputError: none is named; no such file or format; nothing of the format there; too much of it.
        NotMade: one of them is to be fetched.
    """
    if sources is None:
        raise InputError(f"{key} is missing: set it in the file or with --{key}")
    if isinstance(sources, tuple):
        return tuple(_opened(source, f"{key}.{index}", fetched) for index, source in enumerate(sources))
    return (_opened(sources, key, fetched),)


def read(sources: Sequence[Source], kind: type[Record]) -> Corpus[Record]:
    """All records of a kind, source by source in their order.

    Raises:
        InputError: a format cannot give this kind; a row cannot be used; a record of one's own repeats another.
    """
    records: dict[tuple[str, ...], Record] = {}
    origin: dict[tuple[str, ...], Source] = {}
    repeated = 0
    for source in sources:
        for record in _records(source, kind):
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


def _records(source: Source, kind: type[Record]) -> Iterable[Record]:
    records = _reader(source, kind)(source.parts, source.config)
    if source.config.part is None:
        return records
    if kind is not Problem:
        raise InputError(f"{source.label}: part belongs to benchmarks, not to {KINDS[kind]}")
    return part_of(list(records), source.config.part)


def _opened(source: str | SourceConfig, key: str, fetched: Mapping[str, Artifact[Any]]) -> Source:
    config = SourceConfig(path=source) if isinstance(source, str) else source
    format_of(config, key)
    if config.path is None:
        parts = _fetched_parts(config, fetched[source_title(config)])
    else:
        parts = _file_parts(config, Path(config.path), key)
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
    parts = {name: Part(file, format_.parse, str(file)) for name, file in files.items()}
    if empty := [part.label for part in parts.values() if not part.size]:
        raise InputError(f"{key}: {empty[0]} is empty; fetch it anew, or leave it out")
    return parts


def _fetched_parts(config: SourceConfig, artifact: Artifact[Fetched]) -> Parts:
    return {
        name: Part(artifact.file(part_file(name)), parquet, f"{config.hub}{f' {name}' if name else ''}")
        for name in artifact.result.rows
    }


def _reader(source: Source, kind: type[Record]) -> Reader:
    if kind not in source.format.readers:
        able = [name for name, format_ in FORMATS.items() if kind in format_.readers]
        gives = " and ".join(KINDS[each] for each in source.format.readers)
        raise InputError(
            f"{source.label}: format {source.config.format} gives {gives}, not {KINDS[kind]};"
            f" these do: {', '.join(able)}"
        )
    return source.format.readers[kind]

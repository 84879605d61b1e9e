"""From what the configuration names to records: sources are opened, which finds their files, and then read."""

import hashlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic

from pydantic import Field

from slam_ray.config import InputError, Section, SourceConfig, Sources
from slam_ray.config.schema import ProblemPart
from slam_ray.corpora.formats import FORMATS, format_of
from slam_ray.corpora.formats.files import Found, is_of_split, split_named
from slam_ray.corpora.formats.layout import Format, Parts, Reader
from slam_ray.corpora.formats.own import Record, identity
from slam_ray.corpora.hub import Fetched, part_file, source_title
from slam_ray.corpora.languages import EXAMPLE, KNOWN, Languages
from slam_ray.corpora.parts import Part
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.splits import part_of
from slam_ray.corpora.tables import parquet
from slam_ray.pipeline.step import Artifact

MAX_BYTES = 2**30
SHOWN = 8  # files of languages that are not known, in a message
KINDS = {Question: "questions", Pair: "pairs", Problem: "problems"}


class Reading(Section):
    """What of the configuration decides a source's records, beside their content.

    Attributes:
        names: those of the languages that the configuration adds, by code, where rows say them.
    """

    format: str
    columns: dict[str, str]
    values: dict[str, str]
    part: ProblemPart | None
    names: dict[str, str] = Field(default_factory=dict, exclude_if=operator.not_)


@dataclass(frozen=True)
class Source:
    """A source whose files are there.

    Attributes:
        key: its key in the configuration.
        config: its section there.
        parts: by the names that its format knows them by.
        languages: those that are known.
        left_out: names of its files, or of subsets on the Hub, whose languages are not.
    """

    key: str
    config: SourceConfig
    parts: Parts
    languages: Languages
    left_out: tuple[str, ...]

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
        names = self.languages.added_names if self.format.named else {}
        return Reading(
            format=config.format, columns=config.columns, values=config.values, part=config.part, names=names
        )

    @property
    def note(self) -> str | None:
        """What its user is told of what it leaves out."""
        return f"{self.key}: {_left_out(self.left_out)}" if self.left_out else None

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


def opened(
    sources: Sources | None, key: str, fetched: Mapping[str, Artifact[Any]], languages: Languages = KNOWN
) -> tuple[Source, ...]:
    """The sources that the configuration names under `key`.

    Args:
        sources: from the configuration.
        key: for messages.
        fetched: among others, what was fetched from the Hub, by `source_title`.
        languages: those whose files are read.

    Raises:
        InputError: none is named; no such file or format; nothing of the format or the split there; too much of it.
        NotMade: one of them is to be fetched.
    """
    if sources is None:
        raise InputError(f"{key} is missing: set it in the file or with --{key}")
    if isinstance(sources, tuple):
        return tuple(_opened(source, f"{key}.{index}", fetched, languages) for index, source in enumerate(sources))
    return (_opened(sources, key, fetched, languages),)


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
    records = _reader(source, kind)(source.parts, source.config, source.languages)
    if source.config.part is None:
        return records
    if kind is not Problem:
        raise InputError(f"{source.label}: part belongs to benchmarks, not to {KINDS[kind]}")
    return part_of(list(records), source.config.part)


def _opened(source: str | SourceConfig, key: str, fetched: Mapping[str, Artifact[Any]], languages: Languages) -> Source:
    config = SourceConfig(path=source) if isinstance(source, str) else source
    format_of(config, key)
    left_out: Iterable[str]
    if config.path is None:
        artifact = fetched[source_title(config)]
        parts, left_out = _fetched_parts(config, artifact), artifact.result.left_out
    else:
        found = _files(config, Path(config.path), key, languages)
        parts = _file_parts(found, FORMATS[config.format], key)
        left_out = _names(found, Path(config.path))
    if sum(part.size for part in parts.values()) > MAX_BYTES:
        where = config.path or config.hub
        raise InputError(f"{key}: {where} is over 1 GiB; one process prepares a corpus, so give a sample of it")
    return Source(key, config, parts, languages, tuple(left_out))


def _files(config: SourceConfig, path: Path, key: str, languages: Languages) -> Found[Path]:
    format_ = FORMATS[config.format]
    if not path.exists():
        raise InputError(f"{key}: no such file or folder: {path}; give a {format_.layout}")
    try:
        found = format_.files(path, config.split, languages)
    except InputError as error:
        raise InputError(f"{key}: {error}") from None
    if not found.parts or not all(file.is_file() for file in found.parts.values()):
        there = f"; there are: {', '.join(found.splits)}" if found.splits else ""
        if found.unknown:
            there = f"; {_left_out(_names(found, path))}"
        elif path.is_file():
            there = "; give the folder that the file is in"
        raise InputError(f"{key}: {path} holds no {format_.layout} of split {config.split or format_.split!r}{there}")
    if config.split is not None and path.is_file():
        _check_split(config.split, path, key)
    return found


def _check_split(split: str, file: Path, key: str) -> None:
    """Raise InputError unless a single file is named for the split that is asked of it."""
    if not is_of_split(file, split):
        named = split_named(file)
        raise InputError(
            f"{key}: {file} is a file of split {named!r}, not of {split!r}"
            if named
            else f"{key}: {file} is one file, in which split {split!r} chooses nothing; leave `split` out"
        )


def _names(found: Found[Path], folder: Path) -> list[str]:
    return [str(file.relative_to(folder)) for file in found.unknown]


def _left_out(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return f"{shown}: languages not known, left out; to read them, name them in corpora.languages, e.g. {EXAMPLE}"


def _file_parts(found: Found[Path], format_: Format, key: str) -> Parts:
    parts = {name: Part(file, format_.parse, str(file)) for name, file in found.parts.items()}
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

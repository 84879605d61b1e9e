"""The sources that the configuration names: their files are found, and read into records."""

import hashlib
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic

from pydantic import Field

from slam_ray.config import InputError, Section, SourceConfig, Sources
from slam_ray.config.schema import ProblemPart
from slam_ray.corpora.formats import FORMATS, format_of
from slam_ray.corpora.formats.files import FoundParts, is_of_split, split_named
from slam_ray.corpora.formats.layout import Format, Parts, Reader
from slam_ray.corpora.formats.records import Record, identity
from slam_ray.corpora.hub import FetchedCorpus, FetchSteps, HubCorpus, part_file
from slam_ray.corpora.languages import EXAMPLE, KNOWN, Languages
from slam_ray.corpora.parts import Part
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.splits import problems_of_part
from slam_ray.corpora.tables import parquet
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Derived

MAX_BYTES = 2**30
MOST_NAMES = 8  # of files whose languages are not known, in a message
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
    """A source whose files were found.

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
    sources: Sources | None,
    key: str,
    fetched: FetchSteps,
    languages: Languages = KNOWN,
) -> tuple[Derived[Source], ...]:
    """The sources that the configuration names under `key`; one on the Hub follows from the step that fetches it.

    Args:
        sources: from the configuration.
        key: for messages.
        fetched: steps that fetch them, and maybe others, from the Hub.
        languages: those whose files are read.

    Raises:
        InputError: (here) none is named, or a format is not known; (by a value) there is no such file, nothing of the
            format or the split in it, or too much of it.
    """
    return tuple(_opened(key, config, fetched, languages) for key, config in _by_key(sources, key))


def readings(sources: Sources | None, key: str, languages: Languages) -> tuple[Reading, ...]:
    """How each source under `key` is read; raises InputError as `opened` does in the call."""
    return tuple(
        Reading(
            format=config.format,
            columns=config.columns,
            values=config.values,
            part=config.part,
            names=languages.added_names if format_of(config, key).rows_name_language else {},
        )
        for key, config in _by_key(sources, key)
    )


def read(sources: Sequence[Source], kind: type[Record]) -> Corpus[Record]:
    """All records of a kind, source by source in their order.

    Raises:
        InputError: a format cannot give this kind; a row cannot be used; a record of one's own repeats another.
    """
    found: dict[tuple[str, ...], tuple[Record, Source]] = {}
    repeated = 0
    for source in sources:
        for record in _records(source, kind):
            key = identity(record)
            first, origin = found.setdefault(key, (record, source))
            if first is record:
                continue
            if source.format.user_records or (source.format.row_number_ids and origin is not source):
                raise InputError(
                    f"{source.label}: repeats {' '.join(key)} of {origin.label};"
                    " sources read together need ids of their own"
                )
            repeated += 1
    return Corpus([record for record, _ in found.values()], repeated)


def _records(source: Source, kind: type[Record]) -> Iterable[Record]:
    records = _reader(source, kind)(source.parts, source.config, source.languages)
    if source.config.part is None:
        return records
    if kind is not Problem:
        raise InputError(f"{source.label}: part belongs to benchmarks, not to {KINDS[kind]}")
    return problems_of_part(list(records), source.config.part)


def _by_key(sources: Sources | None, key: str) -> Iterator[tuple[str, SourceConfig]]:
    if sources is None:
        raise InputError(f"{key} is missing: set it in the file or with --{key}")
    keys = (
        {f"{key}.{index}": one for index, one in enumerate(sources)} if isinstance(sources, tuple) else {key: sources}
    )
    for name, source in keys.items():
        yield name, SourceConfig(path=source) if isinstance(source, str) else source


def _opened(key: str, config: SourceConfig, fetched: FetchSteps, languages: Languages) -> Derived[Source]:
    format_of(config, key)
    if config.path is not None:
        path = Path(config.path)
        return Derived((), lambda artifacts: _of_files(key, config, path, languages))
    step = fetched[HubCorpus.of(config, languages)]
    return Derived([step], lambda artifacts: _of_fetched(key, config, artifacts[step], languages))


def _of_files(key: str, config: SourceConfig, path: Path, languages: Languages) -> Source:
    found = _files(config, path, key, languages)
    parts = {name: Part(file, FORMATS[config.format].parse, str(file)) for name, file in found.parts.items()}
    if empty := [part.label for part in parts.values() if not part.size]:
        raise InputError(f"{key}: {empty[0]} is empty; fetch it anew, or leave it out")
    return _within_limit(Source(key, config, parts, languages, tuple(_names(found, path))))


def _of_fetched(key: str, config: SourceConfig, artifact: Artifact[FetchedCorpus], languages: Languages) -> Source:
    parts = {
        name: Part(artifact.file(part_file(name)), parquet, f"{config.hub}{f' {name}' if name else ''}")
        for name in artifact.result.rows
    }
    return _within_limit(Source(key, config, parts, languages, tuple(artifact.result.left_out)))


def _within_limit(source: Source) -> Source:
    if sum(part.size for part in source.parts.values()) > MAX_BYTES:
        raise InputError(
            f"{source.key}: {source.place} is over 1 GiB; one process prepares a corpus, so give a sample of it"
        )
    return source


def _files(config: SourceConfig, path: Path, key: str, languages: Languages) -> FoundParts[Path]:
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


def _names(found: FoundParts[Path], folder: Path) -> list[str]:
    return [str(file.relative_to(folder)) for file in found.unknown]


def _left_out(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
    return f"{shown}: languages not known, left out; to read them, name them in corpora.languages, e.g. {EXAMPLE}"


def _reader(source: Source, kind: type[Record]) -> Reader:
    if kind not in source.format.readers:
        able = [name for name, format_ in FORMATS.items() if kind in format_.readers]
        gives = " and ".join(KINDS[each] for each in source.format.readers)
        raise InputError(
            f"{source.label}: format {source.config.format} gives {gives}, not {KINDS[kind]};"
            f" these do: {', '.join(able)}"
        )
    return source.format.readers[kind]

"""The files of a prepared corpus: Parquet, a column for each field of its records."""

from array import array
from collections.abc import Sequence
from dataclasses import fields
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from slam_ray.corpora.cleaning import CleaningLoss, Dropped
from slam_ray.corpora.formats.records import Record
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.store.artifact import Artifact

if TYPE_CHECKING:
    import pyarrow as pa

CORPUS_FILE, DROPPED_FILE, HELD_OUT_FILE = "corpus.parquet", "dropped.parquet", "held_out.parquet"


class Prepared(BaseModel):
    """What a corpus holds.

    Attributes:
        records: by language; the keys are its languages, in order.
        left_out: how many records of the sources are not in it.
        repeated: how often published sources repeated a record; not counted in `left_out`.
        losses: what cleaning left out, by rule and language.
    """

    records: dict[str, int]
    left_out: int
    repeated: int = 0
    losses: list[CleaningLoss] = []

    @property
    def languages(self) -> tuple[str, ...]:
        """Its languages, English first where it is present."""
        return tuple(self.records)


def read_questions(artifact: Artifact[Prepared]) -> list[Question]:
    """The questions of a prepared corpus or benchmark, language by language, ids in the same order in each."""
    return list(map(Question, *_columns(artifact.file(CORPUS_FILE), Question)))


def read_pairs(artifact: Artifact[Prepared]) -> list[Pair]:
    """The pairs of a prepared corpus."""
    return list(map(Pair, *_columns(artifact.file(CORPUS_FILE), Pair)))


def read_held_out(artifact: Artifact[Prepared]) -> list[Pair]:
    """The cleaned pairs of the problems that a prepared corpus of pairs keeps for choosing settings."""
    return list(map(Pair, *_columns(artifact.file(HELD_OUT_FILE), Pair)))


def read_dropped(artifact: Artifact[Prepared]) -> list[Dropped]:
    """The pairs that cleaning left out of a prepared corpus of pairs, each with the rule that it broke."""
    *of_pairs, rules = _columns(artifact.file(DROPPED_FILE), Pair, "rule")
    return list(map(Dropped, rules, map(Pair, *of_pairs)))


def read_problems(artifact: Artifact[Prepared]) -> list[Problem]:
    """The problems of a prepared benchmark."""
    return list(map(Problem, *_columns(artifact.file(CORPUS_FILE), Problem)))


def write(file: Path, kind: type[Record], records: Sequence[Record], **more: Sequence[str]) -> None:
    """Write records, and `more` columns beside theirs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {field.name: [getattr(record, field.name) for record in records] for field in fields(kind)}
    arrays = {name: _arrow(values) for name, values in {**columns, **more}.items()}
    pq.write_table(pa.table(arrays), file)


def _arrow(values: Sequence[Any]) -> "pa.Array":
    """Texts, or numbers, as Arrow keeps them: given a Python list, it would import pandas, which takes long."""
    import pyarrow as pa

    if isinstance(next(iter(values), None), float):
        return pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(array("d", values))])
    texts = [text.encode() for text in values]
    ends = array("i", accumulate(map(len, texts), initial=0))
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))


def _columns(file: Path, kind: type[Record], *more: str) -> list[list[Any]]:
    """The columns of the fields of `kind`, and `more` after them."""
    import pyarrow.parquet as pq

    names = [*(field.name for field in fields(kind)), *more]
    # `pq.read_table` would import pandas.
    with pq.ParquetFile(file) as parquet:
        table = parquet.read(names)
    return [table.column(name).to_pylist() for name in names]

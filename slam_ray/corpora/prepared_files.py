"""The files of a prepared corpus: Parquet, a column for each field of its records."""

import io
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from slam_ray.corpora.cleaning import CleaningLoss, Dropped
from slam_ray.corpora.formats.records import Record
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.store.artifact import Artifact

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
    rows = _rows(artifact.file(CORPUS_FILE))
    return [Question(row["id"], row["language"], row["question"]) for row in rows]


def read_pairs(artifact: Artifact[Prepared]) -> list[Pair]:
    """The pairs of a prepared corpus."""
    return [Pair(**row) for row in _rows(artifact.file(CORPUS_FILE))]


def read_held_out(artifact: Artifact[Prepared]) -> list[Pair]:
    """The cleaned pairs of the problems that a prepared corpus of pairs keeps for choosing settings."""
    return [Pair(**row) for row in _rows(artifact.file(HELD_OUT_FILE))]


def read_dropped(artifact: Artifact[Prepared]) -> list[Dropped]:
    """The pairs that cleaning left out of a prepared corpus of pairs, each with the rule that it broke."""
    return [Dropped(row.pop("rule"), Pair(**row)) for row in _rows(artifact.file(DROPPED_FILE))]


def read_problems(artifact: Artifact[Prepared]) -> list[Problem]:
    """The problems of a prepared benchmark."""
    return [Problem(**row) for row in _rows(artifact.file(CORPUS_FILE))]


def write(file: Path, kind: type[Record], records: Sequence[Record], **more: Sequence[str]) -> None:
    """Write records, and `more` columns beside theirs."""
    import pyarrow as pa
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    numbers = {name for record in records[:1] for name, value in vars(record).items() if isinstance(value, float)}
    types = {field.name: pa.float64() if field.name in numbers else pa.string() for field in fields(kind)}
    schema = pa.schema({**types, **dict.fromkeys(more, pa.string())})
    rows = [
        {**vars(record), **dict(zip(more, values, strict=True))}
        for record, *values in zip(records, *more.values(), strict=True)
    ]
    # By way of JSON, because for Python lists Arrow imports pandas, which takes longer than all of a dry run.
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    table = pa.Table.from_batches([], schema)
    if lines:
        table = pj.read_json(
            io.BytesIO(lines),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(lines)),
            parse_options=pj.ParseOptions(explicit_schema=schema),
        )
    pq.write_table(table, file)


def _rows(file: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows

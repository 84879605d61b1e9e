"""Prepared corpora: one artifact each for parallel questions, translation pairs and a benchmark's problems.

They are made in the driver before Ray starts, so that a bad line or a language without data costs nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from pydantic import BaseModel

from slam_ray.config import ENGLISH, InputError, RunConfig, Section
from slam_ray.corpora.languages import language_name
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.sources import Record, existing, read_jsonl
from slam_ray.pipeline.content import FileContent
from slam_ray.pipeline.step import Artifact, Attempt, Step

CORPUS_FILE = "corpus.parquet"


class Chosen(Section):
    """What is taken from a file.

    Attributes:
        languages: in this order; None for all, English first.
        limit: the first so many of each language, None for all.
    """

    languages: tuple[str, ...] | None
    limit: int | None


class Prepared(BaseModel):
    """What a corpus holds: records per language (the keys are its languages, in order), and how many were left."""

    records: dict[str, int]
    left_out: int

    @property
    def languages(self) -> tuple[str, ...]:
        """Its languages, English first where it is present."""
        return tuple(self.records)


def questions_step(config: RunConfig) -> Step[Prepared]:
    """Parallel questions to count on: those whose id is there in every chosen language.

    Raises:
        InputError: (here or in its run) the file or a language in it cannot be used; English is missing.
    """
    return _step(
        "questions",
        config.corpora.questions,
        "corpora.questions",
        _chosen(config),
        Question,
        _parallel,
    )


def pairs_step(config: RunConfig, questions: Artifact[Prepared]) -> Step[Prepared]:
    """Translation pairs to train on, of the languages of `questions` without English."""
    languages = tuple(code for code in questions.result.languages if code != ENGLISH)
    chosen = Chosen(languages=languages, limit=config.limit)
    return _step("pairs", config.corpora.pairs, "corpora.pairs", chosen, Pair, _first)


def problems_step(config: RunConfig, benchmark: str) -> Step[Prepared]:
    """The problems of a benchmark, of the languages of the configuration or else all of the file."""
    key = f"corpora.benchmarks.{benchmark}"
    return _step(
        "problems",
        config.corpora.benchmarks[benchmark],
        key,
        _chosen(config),
        Problem,
        _first,
    )


def read_questions(artifact: Artifact[Prepared]) -> list[Question]:
    """The questions of a prepared corpus, language by language, ids in the same order in each."""
    return _read(artifact, Question)


def read_pairs(artifact: Artifact[Prepared]) -> list[Pair]:
    """The pairs of a prepared corpus."""
    return _read(artifact, Pair)


def read_problems(artifact: Artifact[Prepared]) -> list[Problem]:
    """The problems of a prepared benchmark."""
    return _read(artifact, Problem)


def _chosen(config: RunConfig) -> Chosen:
    return Chosen(languages=config.corpora.languages, limit=config.limit)


def _step(
    name: str,
    path: str,
    key: str,
    chosen: Chosen,
    kind: type[Record],
    choose: Callable[[Sequence[Record], Sequence[str], int | None, str], list[Record]],
) -> Step[Prepared]:
    file = existing(path, key)

    def run(attempt: Attempt) -> Prepared:
        import pyarrow as pa
        import pyarrow.parquet as pq

        records = read_jsonl(file, kind)
        languages = _languages(records, chosen.languages, f"{key} ({file})")
        kept = choose(records, languages, chosen.limit, f"{key} ({file})")
        rows = {field.name: [getattr(record, field.name) for record in kept] for field in fields(kind)}
        pq.write_table(pa.table(rows), attempt.directory / CORPUS_FILE)
        counts = Counter(record.language for record in kept)
        return Prepared(
            records={code: counts[code] for code in languages},
            left_out=len(records) - len(kept),
        )

    return Step(name, 1, chosen, {"file": FileContent(file)}, Prepared, run)


def _languages(records: Sequence[Any], chosen: Sequence[str] | None, where: str) -> list[str]:
    present = {record.language for record in records}
    for code in sorted(present if chosen is None else chosen):
        language_name(code)
        if code not in present:
            raise InputError(f"{where} holds nothing in language {code!r}; it holds {' '.join(sorted(present))}")
    if not present:
        raise InputError(f"{where} is empty")
    return list(chosen) if chosen is not None else sorted(present, key=lambda code: (code != ENGLISH, code))


def _parallel(records: Sequence[Question], languages: Sequence[str], limit: int | None, where: str) -> list[Question]:
    if ENGLISH not in languages or len(languages) < 2:
        raise InputError(f"{where}: needs questions in {ENGLISH!r} and at least one other language")
    found = {(record.language, record.id): record for record in records}
    ids = dict.fromkeys(record.id for record in records)
    shared = [id_ for id_ in ids if all((code, id_) in found for code in languages)]
    if not shared:
        raise InputError(f"{where}: no id is there in every language; parallel questions share their id")
    return [found[code, id_] for code in languages for id_ in shared[:limit]]


def _first(records: Sequence[Record], languages: Sequence[str], limit: int | None, where: str) -> list[Record]:
    return [
        record for code in languages for record in [record for record in records if record.language == code][:limit]
    ]


def _read(artifact: Artifact[Prepared], kind: type[Record]) -> list[Record]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(artifact.file(CORPUS_FILE)).to_pylist()
    return [kind(**row) for row in rows]

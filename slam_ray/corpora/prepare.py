"""Prepared corpora: one artifact each for parallel questions, translation pairs and a benchmark's problems.

They are made in the driver before Ray starts, so that a bad line or a language without data costs nothing. Sources on
the Hub are read from what was fetched of them (`fetched`, by the title of its stage).
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import Field

from slam_ray.config import ENGLISH, CleaningConfig, InputError, RunConfig, Section
from slam_ray.corpora.artifacts import CORPUS_FILE, DROPPED_FILE, HELD_OUT_FILE, Prepared, write
from slam_ray.corpora.cleaning import Loss, clean, losses, table
from slam_ray.corpora.formats.own import Record
from slam_ray.corpora.languages import Languages, Writing
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.sources import Corpus, Reading, Source, opened, read
from slam_ray.corpora.splits import balanced, held_out
from slam_ray.pipeline.step import Artifact, Attempt, Step

Artifacts = Mapping[str, Artifact[Any]]
NONE: Artifacts = MappingProxyType({})


class Chosen(Section):
    """What is taken from the sources.

    Attributes:
        readings: how each source is read.
        languages: in this order; None for all, English first.
        limit: the first so many of each language, None for all.
    """

    readings: tuple[Reading, ...]
    languages: tuple[str, ...] | None
    limit: int | None


class ChosenTraining(Chosen):
    """What is taken for counting and training.

    Attributes:
        held_out: share of the problems that is left out.
        seed: of that, and of balancing.
    """

    held_out: float
    seed: int


class ChosenPairs(ChosenTraining):
    """What is taken for training.

    Attributes:
        writings: how the languages are written that the configuration adds.
    """

    cleaning: CleaningConfig
    balance: bool
    writings: dict[str, Writing] = Field(default_factory=dict, exclude_if=operator.not_)


def questions_step(config: RunConfig, fetched: Artifacts = NONE) -> Step[Prepared]:
    """Parallel questions to count on: those whose id is there in every chosen language.

    Raises:
        InputError: (here or in its run) a source or a language in it cannot be used; English is missing; questions
            are problems of a benchmark.
    """
    corpora, known = config.corpora, Languages.of(config.corpora)
    sources = opened(corpora.questions, "corpora.questions", fetched, known)
    chosen = ChosenTraining(
        readings=_readings(sources),
        languages=corpora.codes,
        limit=config.limit,
        held_out=corpora.held_out,
        seed=corpora.seed if corpora.held_out else 0,  # else balancing with another seed would count anew
    )

    def run(attempt: Attempt) -> Prepared:
        corpus = read(sources, Question)
        languages = _languages(corpus, chosen.languages, sources)
        parallel = _parallel(corpus.records, languages, _where(sources))
        away = held_out((question.id for question in parallel), chosen.held_out, chosen.seed)
        rest = _not_held_out(parallel, away, languages, _where(sources))
        kept = _first(rest, languages, chosen.limit)
        write(attempt.directory / CORPUS_FILE, Question, kept)
        return _prepared(corpus, kept, languages)

    return _step("questions", 2, chosen, sources, run)


def pairs_step(config: RunConfig, questions: Artifact[Prepared], fetched: Artifacts = NONE) -> Step[Prepared]:
    """Translation pairs to train on, cleaned, of the languages of `questions` without English.

    Beside them the artifact holds what cleaning left out, and the pairs of problems that are held out.

    Raises:
        InputError: as for questions, or cleaning leaves nothing of a language.
    """
    corpora, known = config.corpora, Languages.of(config.corpora)
    sources = opened(corpora.pairs, "corpora.pairs", fetched, known)
    chosen = ChosenPairs(
        readings=_readings(sources),
        languages=tuple(code for code in questions.result.languages if code != ENGLISH),
        limit=config.limit,
        held_out=corpora.held_out,
        seed=corpora.seed,
        cleaning=corpora.cleaning,
        balance=corpora.balance,
        writings=known.added_writings,
    )

    def run(attempt: Attempt) -> Prepared:
        corpus = read(sources, Pair)
        languages = _languages(corpus, chosen.languages, sources)
        wanted = [pair for pair in corpus.records if pair.language in languages]
        clean_pairs, dropped = clean(wanted, chosen.cleaning, known)
        found = losses(dropped)
        _report(clean_pairs, found, languages, _where(sources))
        away = held_out((pair.id for pair in clean_pairs), chosen.held_out, chosen.seed)
        kept = _not_held_out(clean_pairs, away, languages, _where(sources))
        if chosen.balance:
            kept = balanced(kept, chosen.seed)
        kept = _first(kept, languages, chosen.limit)
        write(attempt.directory / CORPUS_FILE, Pair, kept)
        write(attempt.directory / HELD_OUT_FILE, Pair, [pair for pair in clean_pairs if pair.id in away])
        write(
            attempt.directory / DROPPED_FILE,
            Pair,
            [drop.pair for drop in dropped],
            rule=[drop.rule for drop in dropped],
        )
        return _prepared(corpus, kept, languages, found)

    return _step("pairs", 2, chosen, sources, run)


def english_step(config: RunConfig, fetched: Artifacts = NONE) -> Step[Prepared]:
    """English text on which a loss is measured, as questions in English; their other languages are left out."""
    sources = opened(config.corpora.english, "corpora.english", fetched, Languages.of(config.corpora))
    chosen = Chosen(readings=_readings(sources), languages=(ENGLISH,), limit=config.limit)

    def run(attempt: Attempt) -> Prepared:
        corpus = read(sources, Question)
        languages = _languages(corpus, chosen.languages, sources)
        kept = _first(corpus.records, languages, chosen.limit)
        write(attempt.directory / CORPUS_FILE, Question, kept)
        return _prepared(corpus, kept, languages)

    return _step("english", 2, chosen, sources, run)


def problems_step(config: RunConfig, benchmark: str, fetched: Artifacts = NONE) -> Step[Prepared]:
    """The problems of a benchmark, of the languages of the configuration or else all of its sources."""
    corpora, known = config.corpora, Languages.of(config.corpora)
    sources = opened(corpora.benchmarks[benchmark], f"corpora.benchmarks.{benchmark}", fetched, known)
    chosen = Chosen(readings=_readings(sources), languages=corpora.codes, limit=config.limit)
    return _problems_step(sources, chosen)


def choosing_step(config: RunConfig, limit: int | None, fetched: Artifacts = NONE) -> Step[Prepared]:
    """The problems that settings are chosen on, the first `limit` of each language; never a reported test.

    They are `search.problems`, or else the held-out problems of `corpora.questions`, whose source must then give their
    answers.

    Raises:
        InputError: there are neither.
    """
    corpora, problems, known = config.corpora, config.search.problems, Languages.of(config.corpora)
    if problems is not None:
        sources = opened(problems, "search.problems", fetched, known)
        return _problems_step(sources, Chosen(readings=_readings(sources), languages=corpora.codes, limit=limit))
    if not corpora.held_out:
        raise InputError(
            "search.problems is missing: give problems to choose on that are in no benchmark, or hold out some of"
            " corpora.questions (corpora.held_out) whose source gives answers"
        )
    sources = opened(corpora.questions, "corpora.questions", fetched, known)
    chosen = ChosenTraining(
        readings=_readings(sources),
        languages=corpora.codes,
        limit=limit,
        held_out=corpora.held_out,
        seed=corpora.seed,
    )
    return _problems_step(sources, chosen)


def _problems_step(sources: Sequence[Source], chosen: Chosen) -> Step[Prepared]:
    """All problems of the sources; of those chosen like training corpora only the held-out ones."""

    def run(attempt: Attempt) -> Prepared:
        corpus = read(sources, Problem)
        languages = _languages(corpus, chosen.languages, sources)
        records = corpus.records
        if isinstance(chosen, ChosenTraining):
            away = held_out((problem.id for problem in records), chosen.held_out, chosen.seed)
            records = [problem for problem in records if problem.id in away]
        kept = _first(records, languages, chosen.limit)
        if len({type(problem.answer) for problem in kept}) > 1:
            raise InputError(f"{_where(sources)}: numbers and labels as answers; make two benchmarks of them")
        write(attempt.directory / CORPUS_FILE, Problem, kept)
        return _prepared(corpus, kept, languages)

    return _step("problems", 2, chosen, sources, run)


def _step(
    name: str, version: int, chosen: Chosen, sources: Sequence[Source], run: Callable[[Attempt], Prepared]
) -> Step[Prepared]:
    inputs = {f"source {index}": source for index, source in enumerate(sources)}
    notes = tuple(source.note for source in sources if source.note)
    return Step(name, version, chosen, inputs, Prepared, run, notes=notes)


def _readings(sources: Iterable[Source]) -> tuple[Reading, ...]:
    return tuple(source.reading for source in sources)


def _where(sources: Sequence[Source]) -> str:
    return f"{sources[0].key} ({', '.join(source.place for source in sources)})"


def _prepared(
    corpus: Corpus[Record], kept: Sequence[Record], languages: Sequence[str], found: Sequence[Loss] = ()
) -> Prepared:
    counts = Counter(record.language for record in kept)
    return Prepared(
        records={code: counts[code] for code in languages},
        left_out=len(corpus.records) - len(kept),
        repeated=corpus.repeated,
        losses=list(found),
    )


def _report(kept: Sequence[Pair], found: Sequence[Loss], languages: Sequence[str], where: str) -> None:
    counts = Counter(pair.language for pair in kept)
    if found:
        print(f"{where}, cleaned:\n{table({code: counts[code] for code in languages}, found)}", flush=True)
    for code in languages:
        if not counts[code]:
            raise InputError(f"{where}: cleaning leaves no pair in language {code!r}; see corpora.cleaning")


def _languages(corpus: Corpus[Record], chosen: Sequence[str] | None, sources: Sequence[Source]) -> list[str]:
    where, known = _where(sources), sources[0].languages
    present = {record.language for record in corpus.records}
    for code in sorted(present if chosen is None else chosen):
        known.check(code, where)
        if code not in present:
            raise InputError(f"{where} holds nothing in language {code!r}; it holds {' '.join(sorted(present))}")
    if not present:
        raise InputError(f"{where} is empty")
    return list(chosen) if chosen is not None else sorted(present, key=lambda code: (code != ENGLISH, code))


def _parallel(records: Sequence[Question], languages: Sequence[str], where: str) -> list[Question]:
    if ENGLISH not in languages or len(languages) < 2:
        raise InputError(f"{where}: needs questions in {ENGLISH!r} and at least one other language")
    found = {(record.language, record.id): record for record in records}
    ids = dict.fromkeys(record.id for record in records)
    shared = [id_ for id_ in ids if all((code, id_) in found for code in languages)]
    if not shared:
        raise InputError(f"{where}: no id is there in every language; parallel questions share their id")
    return [found[code, id_] for code in languages for id_ in shared]


def _not_held_out(records: Iterable[Record], away: set[str], languages: Sequence[str], where: str) -> list[Record]:
    rest = [record for record in records if record.id not in away]
    for code in languages:
        if all(record.language != code for record in rest):
            raise InputError(f"{where}: all problems in language {code!r} are held out; lower --corpora.held_out")
    return rest


def _first(records: Iterable[Record], languages: Sequence[str], limit: int | None) -> list[Record]:
    of_language: dict[str, list[Record]] = {code: [] for code in languages}
    for record in records:
        if record.language in of_language:
            of_language[record.language].append(record)
    return [record for found in of_language.values() for record in found[:limit]]

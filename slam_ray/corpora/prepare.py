"""The steps that prepare corpora: parallel questions, translation pairs, a benchmark's problems, English texts.

They are made in the driver before Ray starts, so that a bad line or a language without data costs nothing.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType

from pydantic import Field

from slam_ray.config import ENGLISH, CleaningConfig, InputError, RunConfig, Section
from slam_ray.corpora.cleaning import CleaningLoss, clean, cleaning_losses, cleaning_table
from slam_ray.corpora.formats.records import Record
from slam_ray.corpora.hub import FetchSteps
from slam_ray.corpora.languages import Languages, Writing
from slam_ray.corpora.prepared_files import CORPUS_FILE, DROPPED_FILE, HELD_OUT_FILE, Prepared, write
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.sources import Corpus, Reading, Source, opened, read, readings
from slam_ray.corpora.splits import balanced, held_out_ids
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Attempt, Derived, Input, Step

NOTHING_FETCHED: FetchSteps = MappingProxyType({})


class TakenConfig(Section):
    """What is taken from the sources.

    Attributes:
        readings: how each source is read.
        languages: in this order; None for all, English first.
        limit: the first so many of each language, None for all.
    """

    readings: tuple[Reading, ...]
    languages: tuple[str, ...] | None
    limit: int | None


class SplitConfig(TakenConfig):
    """What is taken where some problems are held out.

    Attributes:
        held_out: share of the problems that is held out.
        seed: of that, and of balancing.
    """

    held_out: float
    seed: int


class PairsConfig(SplitConfig):
    """What is taken for training.

    Attributes:
        writings: how the languages are written that the configuration adds.
    """

    cleaning: CleaningConfig
    balance: bool
    writings: dict[str, Writing] = Field(default_factory=dict, exclude_if=operator.not_)


def questions_step(config: RunConfig, fetched: FetchSteps = NOTHING_FETCHED) -> Step[Prepared]:
    """Parallel questions to count on: those whose id every language has.

    Raises:
        InputError: (here or in a run) a source or a language in it cannot be used; English is missing.
    """
    corpora, known = config.corpora, Languages.of(config.corpora)
    taken = SplitConfig(
        readings=readings(corpora.questions, "corpora.questions", known),
        languages=corpora.codes,
        limit=config.limit,
        held_out=corpora.held_out,
        seed=corpora.seed if corpora.held_out else 0,  # else balancing with another seed would count anew
    )

    def prepare(attempt: Attempt, sources: Sequence[Source]) -> Prepared:
        corpus = read(sources, Question)
        languages = _languages(corpus, taken.languages, sources)
        parallel = _parallel(corpus.records, languages, _named(sources))
        held_out = held_out_ids((question.id for question in parallel), taken.held_out, taken.seed)
        rest = _not_held_out(parallel, held_out, languages, _named(sources))
        kept = _first(rest, languages, taken.limit)
        write(attempt.directory / CORPUS_FILE, Question, kept)
        return _prepared(corpus, kept, languages)

    return _step("questions", 2, taken, opened(corpora.questions, "corpora.questions", fetched, known), prepare)


def pairs_step(config: RunConfig, questions: Input[Prepared], fetched: FetchSteps = NOTHING_FETCHED) -> Step[Prepared]:
    """Translation pairs to train on, cleaned, of the languages of `questions` without English.

    Beside them the artifact holds what cleaning left out, and the pairs of problems that are held out.

    Raises:
        InputError: as for questions, or cleaning leaves nothing of a language.
    """
    corpora, known = config.corpora, Languages.of(config.corpora)

    def config_for(questions: Artifact[Prepared]) -> PairsConfig:
        return PairsConfig(
            readings=readings(corpora.pairs, "corpora.pairs", known),
            languages=tuple(code for code in questions.result.languages if code != ENGLISH),
            limit=config.limit,
            held_out=corpora.held_out,
            seed=corpora.seed,
            cleaning=corpora.cleaning,
            balance=corpora.balance,
            writings=known.added_writings,
        )

    taken_config = Derived([questions], lambda artifacts: config_for(artifacts[questions]))

    def prepare(attempt: Attempt, sources: Sequence[Source]) -> Prepared:
        taken, corpus = attempt[taken_config], read(sources, Pair)
        languages = _languages(corpus, taken.languages, sources)
        wanted = [pair for pair in corpus.records if pair.language in languages]
        clean_pairs, dropped = clean(wanted, taken.cleaning, known)
        losses = cleaning_losses(dropped)
        _report(clean_pairs, losses, languages, _named(sources))
        held_out = held_out_ids((pair.id for pair in clean_pairs), taken.held_out, taken.seed)
        kept = _not_held_out(clean_pairs, held_out, languages, _named(sources))
        if taken.balance:
            kept = balanced(kept, taken.seed)
        kept = _first(kept, languages, taken.limit)
        write(attempt.directory / CORPUS_FILE, Pair, kept)
        write(attempt.directory / HELD_OUT_FILE, Pair, [pair for pair in clean_pairs if pair.id in held_out])
        rules, dropped_pairs = [drop.rule for drop in dropped], [drop.pair for drop in dropped]
        write(attempt.directory / DROPPED_FILE, Pair, dropped_pairs, rule=rules)
        return _prepared(corpus, kept, languages, losses)

    return _step("pairs", 2, taken_config, opened(corpora.pairs, "corpora.pairs", fetched, known), prepare)


def english_step(config: RunConfig, fetched: FetchSteps = NOTHING_FETCHED) -> Step[Prepared]:
    """English text on which a loss is measured, as questions in English; their other languages are left out."""
    texts, key, known = config.corpora.english, "corpora.english", Languages.of(config.corpora)
    taken = TakenConfig(readings=readings(texts, key, known), languages=(ENGLISH,), limit=config.limit)

    def prepare(attempt: Attempt, sources: Sequence[Source]) -> Prepared:
        corpus = read(sources, Question)
        languages = _languages(corpus, taken.languages, sources)
        kept = _first(corpus.records, languages, taken.limit)
        write(attempt.directory / CORPUS_FILE, Question, kept)
        return _prepared(corpus, kept, languages)

    return _step("english", 2, taken, opened(texts, key, fetched, known), prepare)


def problems_step(config: RunConfig, benchmark: str, fetched: FetchSteps = NOTHING_FETCHED) -> Step[Prepared]:
    """The problems of a benchmark, of the languages of the configuration or else all of its sources."""
    corpora, key, known = config.corpora, f"corpora.benchmarks.{benchmark}", Languages.of(config.corpora)
    problems = corpora.benchmarks[benchmark]
    taken = TakenConfig(readings=readings(problems, key, known), languages=corpora.codes, limit=config.limit)
    return _problems_step(opened(problems, key, fetched, known), taken).labelled(f"problems {benchmark}")


def validation_step(config: RunConfig, limit: int | None, fetched: FetchSteps = NOTHING_FETCHED) -> Step[Prepared]:
    """The problems that settings are chosen on, the first `limit` of each language; never a reported test.

    They are `search.problems`, or else the held-out problems of `corpora.questions`, whose source must then give their
    answers.

    Raises:
        InputError: there are neither.
    """
    corpora, problems, known = config.corpora, config.search.problems, Languages.of(config.corpora)
    if problems is not None:
        key = "search.problems"
        taken = TakenConfig(readings=readings(problems, key, known), languages=corpora.codes, limit=limit)
        return _problems_step(opened(problems, key, fetched, known), taken)
    if not corpora.held_out:
        raise InputError(
            "search.problems is missing: give problems to choose on that are in no benchmark, or hold out some of"
            " corpora.questions (corpora.held_out) whose source gives answers"
        )
    split = SplitConfig(
        readings=readings(corpora.questions, "corpora.questions", known),
        languages=corpora.codes,
        limit=limit,
        held_out=corpora.held_out,
        seed=corpora.seed,
    )
    return _problems_step(opened(corpora.questions, "corpora.questions", fetched, known), split)


def _problems_step(sources: Sequence[Derived[Source]], taken: TakenConfig) -> Step[Prepared]:
    """All problems of the sources; where some are held out, only these."""

    def prepare(attempt: Attempt, sources: Sequence[Source]) -> Prepared:
        corpus = read(sources, Problem)
        languages = _languages(corpus, taken.languages, sources)
        records = corpus.records
        if isinstance(taken, SplitConfig):
            held_out = held_out_ids((problem.id for problem in records), taken.held_out, taken.seed)
            records = [problem for problem in records if problem.id in held_out]
        kept = _first(records, languages, taken.limit)
        if len({type(problem.answer) for problem in kept}) > 1:
            raise InputError(f"{_named(sources)}: numbers and labels as answers; make two benchmarks of them")
        write(attempt.directory / CORPUS_FILE, Problem, kept)
        return _prepared(corpus, kept, languages)

    return _step("problems", 2, taken, sources, prepare)


def _step(
    name: str,
    version: int,
    config: TakenConfig | Derived[PairsConfig],
    sources: Sequence[Derived[Source]],
    prepare: Callable[[Attempt, Sequence[Source]], Prepared],
) -> Step[Prepared]:
    return Step(
        name,
        version,
        config,
        {f"source {index}": source for index, source in enumerate(sources)},
        Prepared,
        lambda attempt: prepare(attempt, [attempt[source] for source in sources]),
        notes=Derived(sources, lambda artifacts: [note for each in sources if (note := artifacts[each].note)]),
    )


def _named(sources: Sequence[Source]) -> str:
    """Their key and places, for messages."""
    return f"{sources[0].key} ({', '.join(source.place for source in sources)})"


def _prepared(
    corpus: Corpus[Record], kept: Sequence[Record], languages: Sequence[str], losses: Sequence[CleaningLoss] = ()
) -> Prepared:
    counts = Counter(record.language for record in kept)
    return Prepared(
        records={code: counts[code] for code in languages},
        left_out=len(corpus.records) - len(kept),
        repeated=corpus.repeated,
        losses=list(losses),
    )


def _report(kept: Sequence[Pair], losses: Sequence[CleaningLoss], languages: Sequence[str], named: str) -> None:
    counts = Counter(pair.language for pair in kept)
    if losses:
        print(f"{named}, cleaned:\n{cleaning_table({code: counts[code] for code in languages}, losses)}", flush=True)
    for code in languages:
        if not counts[code]:
            raise InputError(f"{named}: cleaning leaves no pair in language {code!r}; see corpora.cleaning")


def _languages(corpus: Corpus[Record], wanted: Sequence[str] | None, sources: Sequence[Source]) -> list[str]:
    """The languages that are wanted, or all of the corpus, English first; raises InputError where one has no record."""
    named, known = _named(sources), sources[0].languages
    present = {record.language for record in corpus.records}
    for code in sorted(present if wanted is None else wanted):
        known.check(code, named)
        if code not in present:
            raise InputError(f"{named} holds nothing in language {code!r}; it holds {' '.join(sorted(present))}")
    if not present:
        raise InputError(f"{named} is empty")
    return list(wanted) if wanted is not None else sorted(present, key=lambda code: (code != ENGLISH, code))


def _parallel(records: Sequence[Question], languages: Sequence[str], named: str) -> list[Question]:
    if ENGLISH not in languages or len(languages) < 2:
        raise InputError(f"{named}: needs questions in {ENGLISH!r} and at least one other language")
    questions = {(record.language, record.id): record for record in records}
    ids = dict.fromkeys(record.id for record in records)
    shared = [id_ for id_ in ids if all((code, id_) in questions for code in languages)]
    if not shared:
        raise InputError(f"{named}: no id is there in every language; parallel questions share their id")
    return [questions[code, id_] for code in languages for id_ in shared]


def _not_held_out(records: Iterable[Record], held_out: set[str], languages: Sequence[str], named: str) -> list[Record]:
    rest = [record for record in records if record.id not in held_out]
    for code in languages:
        if all(record.language != code for record in rest):
            raise InputError(f"{named}: all problems in language {code!r} are held out; lower --corpora.held_out")
    return rest


def _first(records: Iterable[Record], languages: Sequence[str], limit: int | None) -> list[Record]:
    by_language: dict[str, list[Record]] = {code: [] for code in languages}
    for record in records:
        if record.language in by_language:
            by_language[record.language].append(record)
    return [record for of_language in by_language.values() for record in of_language[:limit]]

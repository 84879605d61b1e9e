"""The layer search from end to end: what all trials share, the trials, what is best, and what the test says of it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from slam_ray.config import ENGLISH, InputError, PromptsConfig, RunConfig
from slam_ray.corpora import Prepared, choosing_step, pairs_step
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.prompts import prompts_for
from slam_ray.evaluation import Comparison, Scores, compare_step, generate_step, score_step
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.stages import Check, Done, Stage, run
from slam_ray.pipeline.step import Artifact, Step
from slam_ray.pipeline.storage import Storage
from slam_ray.recipes.slam import (
    BASE,
    Base,
    benchmark_prompts,
    check_model,
    check_parts,
    corpora_stages,
    count_stages,
    fetch_stages,
    model_check,
    model_stages,
)
from slam_ray.recipes.texts import texts_check
from slam_ray.search.choosing import apart_step
from slam_ray.search.directory import SearchDirectory
from slam_ray.search.result import Difference, SearchResult, TrialRow, best_of, judged, training_seconds
from slam_ray.search.space import Space
from slam_ray.search.turns import Room, room
from slam_ray.training import train_step

if TYPE_CHECKING:
    from slam_ray.search.trial import Setup

BASE_SCORE = "score base"
CHOOSING, RUNG, PAIRS = "problems to choose on", "problems of a rung", "pairs of a trial"


def text_stages(config: RunConfig) -> list[Stage]:
    """What is read from the user's files, the problems to choose on among them: made in the driver, without Ray."""
    search = config.search
    benchmarks = list(config.corpora.benchmarks)

    def apart(done: Done) -> Step[Any]:
        tested = {name: done[f"problems {name}"] for name in benchmarks}
        return apart_step(config, done[CHOOSING], done["questions"], done["pairs"], tested)

    return [
        *fetch_stages(config.corpora, search.problems),
        *corpora_stages(config),
        Stage(CHOOSING, lambda done: choosing_step(config, config.limit, done)),
        Stage(RUNG, lambda done: choosing_step(config, _least(config.limit, search.rung_problems), done)),
        Stage("apart", apart),
        Stage(PAIRS, lambda done: pairs_step(_limited(config), done["questions"], done)),
    ]


def shared_stages(config: RunConfig, space: Space) -> tuple[list[Stage | Check], Base]:
    """All that is made before the first trial, the one activation count last; and how the model is found then."""
    fetching, base = model_stages(config.model)
    points = model_check(partial(check_points, config, space), base)
    asked = benchmark_prompts(config) | {CHOOSING: choosing_prompts(config)}
    texts = texts_check(config, base, asked, tuning=True)
    return [*text_stages(config), *fetching, points, texts, *count_stages(config, base, BASE)], base


def choosing_prompts(config: RunConfig) -> PromptsConfig:
    """Of the problems to choose on."""
    return prompts_for(config.prompts, config.search.problems or config.corpora.questions)


def check_points(config: RunConfig, space: Space, model: ModelRef) -> None:
    """Raise InputError if the model lacks a layer or a projection of the configuration or of a value to be tried."""
    check_model(config, model)
    for key, values in space.values.items():
        for label, value in values.items():
            try:
                check_parts(space.apply(config, {key: label}), model)
            except InputError as error:
                raise InputError(f"search.space.{key}: {value!r} cannot be tried: {error}") from None


def search(config: RunConfig, space: Space, storage: Storage, context: Context) -> SearchResult:
    """Search, from where a killed search of this name stopped, and write the folder of the search.

    Raises:
        InputError: something in the configuration or its files cannot be used, or a trial can never fit the cluster.
    """
    from slam_ray.search.trial import Setup
    from slam_ray.search.tuning import check_loggers, run_trials

    check_loggers(config)
    places = _room(config, context)
    directory = SearchDirectory(config, storage)
    directory.start()
    stages, base = shared_stages(config, space)
    done = run(stages, storage, context)
    prompts = choosing_prompts(config)
    setup = Setup(config, space, done["count"], done[PAIRS], base(done), prompts, done[CHOOSING], done[RUNG])
    rows = judged(run_trials(setup, places, directory.path), config.search.english_loss)
    best = best_of(rows)
    own = next((row for row in rows if row.number == 0 and row.state == "finished"), None)
    compared = [own, best] if own and best else []
    measured = run([*_base_stages(setup), *_test_stages(setup, done, storage, compared)], storage, context)
    untuned: Scores = measured[BASE_SCORE].result
    result = SearchResult(
        name=config.name,
        model=config.model.name,
        limit=config.limit,
        english_bound=config.search.english_loss,
        problems=done[CHOOSING].result.records[ENGLISH],
        pairs=config.search.pairs,
        base_english=untuned.headline.languages[ENGLISH].accuracy,
        base_non_english=untuned.headline.avg_non_en,
        best=best,
        trials=rows,
        test=_differences(measured, config.corpora.benchmarks, compared) if compared else {},
        training_seconds=training_seconds(rows),
    )
    directory.finish(result, space.apply(config, best.point) if best else None, done["count"].result.layers)
    return result


def _room(config: RunConfig, context: Context) -> Room:
    """What the cluster has room for, said before anything starts."""
    training, engines = context.workers("training"), context.workers("engines")
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = room(training, engines, nodes, config.search.trials)
    engines_stay = "stay up beside them" if found.kept else "take turns with them"
    print(f"room for {found.slots} trainings at a time, {found.trials} trials under way; engines {engines_stay}")
    return found


def _base_stages(setup: "Setup") -> list[Stage]:
    """The untuned model on the problems to choose on; the trials have asked for it already."""
    config = setup.config
    return [
        Stage("generate base", partial(_generate, config, setup.prompts, setup.problems, setup.base)),
        Stage(BASE_SCORE, partial(_score, config, setup.problems, "generate base")),
    ]


def _test_stages(setup: "Setup", done: Done, storage: Storage, compared: Sequence[TrialRow]) -> list[Stage]:
    """Trial 0 and the best on every reported benchmark, and the comparison of the two.

    All are asked before any is scored, so that they share their engines.
    """
    asking, judging = [], []
    for name in setup.config.corpora.benchmarks:
        problems = done[f"problems {name}"]
        for row in {row.number: row for row in compared}.values():
            config = setup.space.apply(setup.config, row.point)
            training = train_step(
                config.training, config.prompts, config.model.dtype, setup.pairs, setup.base, row.layers,
                config.execution, languages=Languages.of(config.corpora),
            )  # fmt: skip
            model = replace(setup.base, trained=storage.find(training))
            asked = _title("generate", row, name)
            prompts = prompts_for(config.prompts, config.corpora.benchmarks[name])
            asking.append(Stage(asked, partial(_generate, config, prompts, problems, model)))
            judging.append(Stage(_title("score", row, name), partial(_score, config, problems, asked)))
        if compared:
            before, after = (_title("score", row, name) for row in compared)
            judging.append(Stage(f"compare {name}", partial(_compare, before, after)))
    return [*asking, *judging]


def _title(what: str, row: TrialRow, benchmark: str) -> str:
    return f"{what} trial {row.number} {benchmark}"


def _generate(
    config: RunConfig, prompts: PromptsConfig, problems: Artifact[Prepared], model: ModelRef, done: Done
) -> Step[Any]:
    return generate_step(config.evaluation, prompts, config.model.dtype, problems, model, config.execution)


def _score(config: RunConfig, problems: Artifact[Prepared], asked: str, done: Done) -> Step[Any]:
    return score_step(config.evaluation, problems, done[asked])


def _compare(before: str, after: str, done: Done) -> Step[Any]:
    return compare_step(done[before], done[after])


def _differences(measured: Done, benchmarks: Iterable[str], compared: Sequence[TrialRow]) -> dict[str, Difference]:
    """The best against trial 0 on each benchmark with other languages than English."""
    found = {}
    for name in benchmarks:
        own, best = (measured[_title("score", row, name)].result.headline for row in compared)
        comparison: Comparison = measured[f"compare {name}"].result
        headline = next(iter(comparison.extractors.values()))
        change, english = headline.avg_non_en, headline.languages.get(ENGLISH)
        if change is not None:
            found[name] = Difference(
                own=own.avg_non_en,
                best=best.avg_non_en,
                difference=change.difference,
                low=change.low,
                high=change.high,
                english_difference=None if english is None else english.difference,
            )
    return found


def _limited(config: RunConfig) -> RunConfig:
    return config.model_copy(update={"limit": _least(config.limit, config.search.pairs)})


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)

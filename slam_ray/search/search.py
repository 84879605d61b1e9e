"""The layer search: what all trials share, the trials, the best of them, and what the test says of it."""

from slam_ray.cluster.connection import node_resources
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ENGLISH, RunConfig
from slam_ray.evaluation import compare_step, generate_step, score_step
from slam_ray.models.reference import Model, tuned
from slam_ray.recipes.benchmarks import responses_of, scores_of
from slam_ray.reporting import BenchmarkSteps
from slam_ray.reporting.search import ChangeToBest, SearchResult, TrialResult, best_of, training_seconds, with_front
from slam_ray.search.directory import SearchDirectory
from slam_ray.search.schedule import Capacity, capacity_for
from slam_ray.search.shared import Shared, shared_steps
from slam_ray.search.space import Space
from slam_ray.selection import select_step
from slam_ray.store.making import make
from slam_ray.store.step import Artifacts
from slam_ray.store.storage import Storage
from slam_ray.training import train_step


def search(config: RunConfig, space: Space, storage: Storage, cluster: RayCluster) -> SearchResult:
    """Search, from where a killed search of this name stopped, and write the folder of the search.

    Raises:
        InputError: something in the configuration or its files cannot be used, or a trial can never fit the cluster.
    """
    from slam_ray.search.tuning import check_loggers, run_trials

    check_loggers(config)
    capacity = _capacity(config, cluster)
    directory = SearchDirectory(config, storage)
    directory.start()
    artifacts, (steps, last) = Artifacts(storage), shared_steps(config, space)
    make([last], artifacts, cluster)
    shared = steps.made(artifacts)
    trials = with_front(run_trials(shared, capacity, directory.path), config.search.english_loss)
    best = best_of(trials)
    trial_0 = next((trial for trial in trials if trial.number == 0 and trial.state == "finished"), None)

    problems = shared.validation.problems
    responses = generate_step(config, shared.validation.prompts, problems, shared.base).labelled("generate base")
    untuned = score_step(config.evaluation, problems, responses).labelled("score base")
    test = test_steps(shared, artifacts, trial_0, best) if trial_0 and best else []
    make([untuned, *(benchmark.comparison for benchmark in test)], artifacts, cluster)

    headline = artifacts[untuned].result.headline
    result = SearchResult(
        name=config.name,
        model=config.model.name,
        limit=config.limit,
        english_bound=config.search.english_loss,
        problems=artifacts[problems].result.records[ENGLISH],
        pairs=config.search.pairs,
        base_english=headline.languages[ENGLISH].accuracy,
        base_non_english=headline.avg_non_en,
        best=best,
        trials=trials,
        test={benchmark.name: change for benchmark in test if (change := _change(benchmark, artifacts))},
        training_seconds=training_seconds(trials),
    )
    best_config = space.apply(config, best.point) if best else None
    directory.finish(result, best_config, artifacts[shared.counts].result.layers)
    return result


def _capacity(config: RunConfig, cluster: RayCluster) -> Capacity:
    """What the cluster can do at the same time, said before anything starts."""
    training, engines = cluster.workers("training"), cluster.workers("engines")
    capacity = capacity_for(training, engines, node_resources(), config.search.trials)
    trainings, trials = f"{capacity.trainings} trainings at a time", f"{capacity.trials} trials under way"
    engines_do = "stay up beside them" if capacity.engines_stay else "take turns with them"
    print(f"room for {trainings}, {trials}; engines {engines_do}")
    return capacity


def test_steps(shared: Shared, artifacts: Artifacts, trial_0: TrialResult, best: TrialResult) -> list[BenchmarkSteps]:
    """Trial 0 and the best on every reported benchmark, and the comparison of the two.

    Both answer all before any is scored, so that they share their engines.
    """
    config, benchmarks = shared.config, shared.benchmarks
    models = {f"trial {trial.number}": _trained_by(trial, shared, artifacts) for trial in (trial_0, best)}
    responses = {label: responses_of(config, benchmarks, model, label) for label, model in models.items()}
    scores = {label: scores_of(config, benchmarks, each, label) for label, each in responses.items()}
    before, after = (scores[f"trial {trial.number}"] for trial in (trial_0, best))
    return [
        BenchmarkSteps(
            name, before[name], after[name], compare_step(before[name], after[name]).labelled(f"compare {name}")
        )
        for name in benchmarks
    ]


def _trained_by(trial: TrialResult, shared: Shared, artifacts: Artifacts) -> Model:
    """The model as a finished trial has tuned it."""
    config = shared.space.apply(shared.config, trial.point)
    layers = artifacts.find(select_step(config.selection, shared.counts))
    return tuned(shared.base, artifacts.find(train_step(config, shared.pairs, shared.base, layers)))


def _change(benchmark: BenchmarkSteps, artifacts: Artifacts) -> ChangeToBest | None:
    """What `test_steps` came to on a benchmark; None if that has no other languages than English."""
    own, best = (artifacts[step].result.headline.avg_non_en for step in (benchmark.before, benchmark.after))
    comparison = next(iter(artifacts[benchmark.comparison].result.extractors.values()))
    if comparison.avg_non_en is None:
        return None
    english = comparison.languages.get(ENGLISH)
    return ChangeToBest(
        **comparison.avg_non_en.model_dump(),
        own=own,
        best=best,
        english_difference=None if english is None else english.difference,
    )

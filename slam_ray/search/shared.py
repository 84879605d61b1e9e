"""What all trials of a search share: the problems to choose on, and the model with its one activation count."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from slam_ray.activations import CountResult, count_step
from slam_ray.config import InputError, RunConfig
from slam_ray.corpora import Prepared, pairs_step, validation_leakage_step, validation_step
from slam_ray.corpora.prompts import prompts_for
from slam_ray.models.hub import pretrained
from slam_ray.models.reference import Model
from slam_ray.recipes.benchmarks import Benchmark
from slam_ray.recipes.checks import check_model, check_parts, texts_check
from slam_ray.recipes.slam import answers_of
from slam_ray.recipes.texts import texts_of
from slam_ray.search.space import Space
from slam_ray.store.step import Artifacts, Check, Derived, Input, Step, known


@dataclass(frozen=True)
class Shared:
    """What all trials share; before the first of them it is made, the count last.

    Attributes:
        config: of the search; a point of `space` changes it.
        counts: the activation count, which all else comes before.
        pairs: what trials train on.
        base: the model to improve.
        validation: the problems to choose on, which the end of a training is evaluated on.
        rung: the first of them, which the rungs before it are evaluated on.
        benchmarks: those that are reported, by name.
    """

    config: RunConfig
    space: Space
    counts: Input[CountResult]
    pairs: Input[Prepared]
    base: Model
    validation: Benchmark
    rung: Benchmark
    benchmarks: Mapping[str, Benchmark]

    def made(self, artifacts: Artifacts) -> "Shared":
        """The same with the artifacts of the steps."""

        def with_artifact(benchmark: Benchmark) -> Benchmark:
            return replace(benchmark, problems=artifacts[benchmark.problems])

        return replace(
            self,
            counts=artifacts[self.counts],
            pairs=artifacts[self.pairs],
            base=known(artifacts[self.base]),
            validation=with_artifact(self.validation),
            rung=with_artifact(self.rung),
            benchmarks={name: with_artifact(benchmark) for name, benchmark in self.benchmarks.items()},
        )


def shared_steps(config: RunConfig, space: Space) -> tuple[Shared, Step[CountResult]]:
    """What all trials share, as steps, and the last of these.

    Raises:
        InputError: the model cannot be used, or there are no problems to choose on.
    """
    search, corpora = config.search, config.corpora
    texts = texts_of(config, search.problems)
    of_rung = _least(config.limit, search.rung_problems)
    problems = validation_step(config, config.limit, texts.fetched).labelled("problems to choose on")
    rung_problems = validation_step(config, of_rung, texts.fetched).labelled("problems of a rung")
    tested = {name: benchmark.problems for name, benchmark in texts.benchmarks.items()}
    leakage = validation_leakage_step(config, problems, texts.questions, texts.pairs, tested)
    limited = config.model_copy(update={"limit": _least(config.limit, search.pairs)})
    pairs = pairs_step(limited, texts.questions, texts.fetched).labelled("pairs of a trial")

    prompts = prompts_for(config.prompts, search.problems or corpora.questions)
    validation, rung = Benchmark(problems, prompts), Benchmark(rung_problems, prompts)
    model = pretrained(config.model)
    readable = texts_check(config, model, [*texts.benchmarks.values(), validation], texts)
    checks = [points_check(config, space, model), readable]
    base = replace(model, after=[*texts.checks, leakage, rung_problems, pairs, *checks])
    counts = count_step(config, texts.questions, base, answers_of(config, texts, base))
    return Shared(config, space, counts, pairs, base, validation, rung, texts.benchmarks), counts


def points_check(config: RunConfig, space: Space, model: Model) -> Check:
    """The model has every layer and projection of the configuration and of the values to be tried."""

    def look(artifacts: Artifacts) -> list[str]:
        check_model(config, artifacts[model])
        for key, values in space.values.items():
            for label, value in values.items():
                try:
                    check_parts(space.apply(config, {key: label}), artifacts[model])
                except InputError as error:
                    raise InputError(f"search.space.{key}: {value!r} cannot be tried: {error}") from None
        return []

    return Derived([model], look)


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)

"""A model on benchmarks: the problems, its answers to them, and their scores."""

from collections.abc import Mapping
from dataclasses import dataclass

from slam_ray.config import PromptsConfig, RunConfig
from slam_ray.corpora import Prepared, problems_step
from slam_ray.corpora.hub import FetchedCorpus, HubCorpus
from slam_ray.corpora.prompts import prompts_for
from slam_ray.evaluation import GenerateResult, Scores, generate_step, score_step
from slam_ray.models.reference import Model
from slam_ray.store.step import Input, Step


@dataclass(frozen=True)
class Benchmark:
    """Problems that a model is scored on, and the prompts that it is asked in."""

    problems: Input[Prepared]
    prompts: PromptsConfig


Benchmarks = Mapping[str, Benchmark]


def benchmarks_of(config: RunConfig, fetched: Mapping[HubCorpus, Step[FetchedCorpus]]) -> dict[str, Benchmark]:
    """The benchmarks of the configuration, by name."""
    return {
        name: Benchmark(problems_step(config, name, fetched), prompts_for(config.prompts, sources))
        for name, sources in config.corpora.benchmarks.items()
    }


def responses_of(
    config: RunConfig, benchmarks: Benchmarks, model: Model, label: str
) -> dict[str, Step[GenerateResult]]:
    """The model's answers to the problems of each benchmark; `label` says which model it is."""
    return {
        name: generate_step(config, benchmark.prompts, benchmark.problems, model).labelled(f"generate {label} {name}")
        for name, benchmark in benchmarks.items()
    }


def scores_of(
    config: RunConfig, benchmarks: Benchmarks, responses: Mapping[str, Step[GenerateResult]], label: str
) -> dict[str, Step[Scores]]:
    """The scores of such answers."""
    return {
        name: score_step(config.evaluation, benchmarks[name].problems, answers).labelled(f"score {label} {name}")
        for name, answers in responses.items()
    }

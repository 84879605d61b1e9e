"""The paper's recipe (section 3): count, select, tune the selected layers' FFNs, and measure before and after."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from slam_ray.activations import Answers, count_step, sample_step, states_step
from slam_ray.config import (
    CorporaConfig,
    EvaluationConfig,
    ModelConfig,
    PromptsConfig,
    RunConfig,
    SelectionConfig,
    SourceConfig,
    Sources,
)
from slam_ray.corpora import english_step, pairs_step, problems_step, questions_step, unseen_step
from slam_ray.corpora.hub import fetch_corpus_step, hub_sources
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.prompts import prompts_for
from slam_ray.evaluation import compare_step, english_loss_step, generate_step, read_responses, score_step
from slam_ray.models.depth import layer_count
from slam_ray.models.hub import fetch_model_step, fetched_model
from slam_ray.models.reference import ModelRef, base_model
from slam_ray.pipeline.stages import Check, Done, Stage
from slam_ray.pipeline.step import Step
from slam_ray.recipes.texts import texts_check
from slam_ray.reporting import BenchmarkArtifacts, RunArtifacts, report_step
from slam_ray.selection import check_layers, select_step
from slam_ray.training import check_projections, check_training, train_step

BASE, TUNED = "base", "tuned"
COUNT = {BASE: "count", TUNED: "count tuned"}
SELECT_TUNED = "select tuned"
Base = Callable[[Done], ModelRef]


def corpora_stages(config: RunConfig) -> list[Stage]:
    """What is read from the user's files or the Hub: made in the driver, before Ray is needed."""
    names = list(config.corpora.benchmarks)
    stages = [
        *fetch_stages(config.corpora),
        Stage("questions", lambda done: questions_step(config, done)),
        Stage("pairs", lambda done: pairs_step(config, done["questions"], done)),
        *problem_stages(config),
    ]
    if config.corpora.english is not None:
        stages.append(Stage("english", lambda done: english_step(config, done)))
    if config.corpora.allow_test_questions:
        return stages

    def unseen(done: Done) -> Step[Any]:
        return unseen_step(done["questions"], done["pairs"], {name: done[f"problems {name}"] for name in names})

    return [*stages, Stage("unseen", unseen)]


def fetch_stages(corpora: CorporaConfig, problems: Sources | None = None) -> list[Stage]:
    """A stage for each source on the Hub; `problems` are those of `search.problems`."""

    def fetch(key: str, source: SourceConfig, done: Done) -> Step[Any]:
        return fetch_corpus_step(key, source, Languages.of(corpora))

    keys = {"corpora.questions": corpora.questions, "corpora.pairs": corpora.pairs}
    keys |= {"corpora.english": corpora.english, "search.problems": problems}
    keys |= {f"corpora.benchmarks.{name}": each for name, each in corpora.benchmarks.items()}
    sources = hub_sources(keys)
    return [Stage(title, partial(fetch, *found), fetches=True) for title, found in sources.items()]


def problem_stages(config: RunConfig) -> list[Stage]:
    """A stage for the problems of each benchmark."""

    def problems(name: str, done: Done) -> Step[Any]:
        return problems_step(config, name, done)

    return [Stage(f"problems {name}", partial(problems, name)) for name in config.corpora.benchmarks]


def slam_stages(config: RunConfig) -> list[Stage | Check]:
    """All stages of a run, each after what it reads; the last is "report".

    Raises:
        InputError: the model cannot be used.
    """
    fetching, base = model_stages(config.model)
    stages: list[Stage | Check] = [
        *corpora_stages(config),
        *fetching,
        model_check(partial(check_model, config), base),
        texts_check(config, base, benchmark_prompts(config), tuning=True),
        *count_stages(config, base, BASE),
        Stage("select", lambda done: select_step(config.selection, done["count"])),
        Stage("train", partial(_train, config, base)),
    ]
    if config.activations.tuned:
        stages += [*count_stages(config, base, TUNED), Stage(SELECT_TUNED, partial(_select_tuned, config))]
    if config.activations.states:
        stages += [Stage(f"states {which}", partial(_states, config, base, which)) for which in _counted(config)]

    def for_each_benchmark(title: str, build: Callable[[str, Done], Step[Any]]) -> None:
        stages.extend(Stage(f"{title} {name}", partial(build, name)) for name in config.corpora.benchmarks)

    if config.corpora.english is not None:
        stages += [
            Stage(f"english loss {which}", partial(_english_loss, config, base, which)) for which in (BASE, TUNED)
        ]
    # Both generations follow one another, so that they can share their engines.
    for which in (BASE, TUNED):
        for_each_benchmark(f"generate {which}", partial(generate, config, base, which))
    for which in (BASE, TUNED):
        for_each_benchmark(f"score {which}", partial(score, config.evaluation, which))
    for_each_benchmark("compare", _compare)
    return [*stages, Stage("report", partial(_report, config))]


def benchmark_prompts(config: RunConfig) -> dict[str, PromptsConfig]:
    """The prompts that each benchmark is asked in, by the stage that makes its problems."""
    benchmarks = config.corpora.benchmarks
    return {f"problems {name}": prompts_for(config.prompts, sources) for name, sources in benchmarks.items()}


def model_stages(model: ModelConfig) -> tuple[list[Stage], Base]:
    """The stages that make the model known, and how it is found after them."""
    if model.hub is not None:
        hub, trusted, title = model.hub, model.trust_remote_code, f"fetch {model.hub}"
        fetching = Stage(title, lambda done: fetch_model_step(hub, model.revision, trusted), fetches=True)
        return [fetching], lambda done: fetched_model(hub, done[title], trusted)
    assert model.path is not None
    local = base_model(model.path, model.trust_remote_code)
    return [], lambda done: local


def model_check(check: Callable[[ModelRef], None], base: Base) -> Check:
    """Check the model once it is there."""

    def look(done: Done) -> list[str]:
        check(base(done))
        return []

    return Check(look)


def check_model(config: RunConfig, model: ModelRef) -> None:
    """Raise InputError if the model cannot be tuned as the configuration says."""
    check_parts(config, model)
    check_training(config.training, config.model.dtype, model)


def check_parts(config: RunConfig, model: ModelRef) -> None:
    """Raise InputError if the model lacks a layer or a projection that the configuration names."""
    if (count := layer_count(model)) is not None:
        check_layers(config.selection, count)
    check_projections(config.training, model)


def count_stages(config: RunConfig, base: Base, which: str) -> list[Stage]:
    """The activation count of one model. Answers that are counted are the base's, so that both models read one text."""
    activations, dtype, execution = config.activations, config.model.dtype, config.execution
    prompts = prompts_for(config.prompts, config.corpora.questions)
    asked, answered = "questions to answer", "answer"

    def answer(done: Done) -> Step[Any]:
        return generate_step(config.evaluation, prompts, dtype, done[asked], base(done), execution)

    def answers(done: Done) -> Answers:
        artifact = done[answered]
        return Answers(artifact, lambda: {(row.language, row.id): row.response for row in read_responses(artifact)})

    def count(done: Done) -> Step[Any]:
        questions, model = done["questions"], _model(base, which, done)
        own = answers(done) if activations.text == "answer" else None
        return count_step(activations, prompts, dtype, questions, model, questions.result.languages, execution, own)

    stages = [Stage(COUNT[which], count)]
    if activations.text == "answer" and which == BASE:
        sample = Stage(asked, lambda done: sample_step(activations, done["questions"]))
        return [sample, Stage(answered, answer), *stages]
    return stages


def _counted(config: RunConfig) -> tuple[str, ...]:
    """Which models are looked into."""
    return (BASE, TUNED) if config.activations.tuned else (BASE,)


def _select_tuned(config: RunConfig, done: Done) -> Step[Any]:
    """Shares and overlap of the tuned model; its layers stay those that were tuned, whatever the rule says of it."""
    typed = SelectionConfig(
        layers=done["select"].result.layers,
        neuron_share=config.selection.neuron_share,
        overlap=config.selection.overlap,
        theta_factor=config.selection.theta_factor,
        max_layer_share=config.selection.max_layer_share,
    )
    return select_step(typed, done[COUNT[TUNED]])


def _states(config: RunConfig, base: Base, which: str, done: Done) -> Step[Any]:
    prompts = prompts_for(config.prompts, config.corpora.questions)
    model = _model(base, which, done)
    return states_step(config.activations, prompts, config.model.dtype, done["questions"], model, config.execution)


def _train(config: RunConfig, base: Base, done: Done) -> Step[Any]:
    layers = done["select"].result.layers
    return train_step(
        config.training, config.prompts, config.model.dtype, done["pairs"], base(done), layers, config.execution,
        languages=Languages.of(config.corpora),
    )  # fmt: skip


def _model(base: Base, which: str, done: Done) -> ModelRef:
    return base(done) if which == BASE else replace(base(done), trained=done["train"])


def _english_loss(config: RunConfig, base: Base, which: str, done: Done) -> Step[Any]:
    return english_loss_step(config.model.dtype, done["english"], _model(base, which, done), config.execution)


def generate(config: RunConfig, base: Base, which: str, name: str, done: Done) -> Step[Any]:
    model = _model(base, which, done)
    problems = done[f"problems {name}"]
    prompts = prompts_for(config.prompts, config.corpora.benchmarks[name])
    return generate_step(config.evaluation, prompts, config.model.dtype, problems, model, config.execution)


def score(evaluation: EvaluationConfig, which: str, name: str, done: Done) -> Step[Any]:
    return score_step(evaluation, done[f"problems {name}"], done[f"generate {which} {name}"])


def _compare(name: str, done: Done) -> Step[Any]:
    return compare_step(done[f"score {BASE} {name}"], done[f"score {TUNED} {name}"])


def _report(config: RunConfig, done: Done) -> Step[Any]:
    benchmarks = [
        BenchmarkArtifacts(name, done[f"score {BASE} {name}"], done[f"score {TUNED} {name}"], done[f"compare {name}"])
        for name in config.corpora.benchmarks
    ]
    measured = config.corpora.english is not None
    artifacts = RunArtifacts(
        pairs=done["pairs"],
        selection=done["select"],
        training=done["train"],
        benchmarks=benchmarks,
        english=(done[f"english loss {BASE}"], done[f"english loss {TUNED}"]) if measured else None,
        tuned_selection=done[SELECT_TUNED] if config.activations.tuned else None,
        states=[done[f"states {which}"] for which in _counted(config)] if config.activations.states else [],
    )
    return report_step(config, artifacts, done)

"""The count step: the units of the plan dealt to actors by Ray Data, their integer counts summed by group."""

import pickle
from collections.abc import Generator, Sequence
from contextlib import closing

from pydantic import BaseModel

from slam_ray.activations.counts import COUNTS_FILE, write_counts
from slam_ray.activations.plan import (
    Answers,
    ByQuestion,
    Unit,
    chosen_ids,
    counted_prompts,
    encode,
    plan_hash,
    plan_units,
)
from slam_ray.activations.unit_counts import GroupSums, UnitCounts, save_unit, saved_units
from slam_ray.config import CountedConfig, InputError, PromptsConfig, RunConfig, Section
from slam_ray.corpora import Prepared, Question, read_questions
from slam_ray.corpora.prepared_files import CORPUS_FILE, write
from slam_ray.corpora.prompts import prompts_for
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import Model, ModelRef, check_chat
from slam_ray.store.step import Artifacts, Attempt, Derived, Input, Step
from slam_ray.store.workers import Workers
from slam_ray.terminal.progress import Progress


class CountConfig(Section):
    """What decides the counts besides model and questions; the dtype and the token budget decide the rounding."""

    activations: CountedConfig
    prompt: str
    chat: bool
    thinking: bool
    dtype: str
    languages: tuple[str, ...]


class CountResult(BaseModel):
    """What was counted: the tokens of all questions by language, and the shape of the counts."""

    languages: tuple[str, ...]
    tokens: dict[str, int]
    questions: int
    groups: int
    layers: int
    neurons: int


class SampleConfig(Section):
    """How many questions are counted."""

    questions: int


def sample_step(activations: CountedConfig, questions: Input[Prepared]) -> Step[Prepared]:
    """The questions that are counted, as a corpus of their own for the model to answer."""

    def run(attempt: Attempt) -> Prepared:
        corpus = read_questions(attempt[questions])
        ids = set(chosen_ids((question.id for question in corpus), activations.questions))
        chosen = [question for question in corpus if question.id in ids]
        write(attempt.directory / CORPUS_FILE, Question, chosen)
        records = dict.fromkeys(attempt[questions].result.languages, len(ids))
        return Prepared(records=records, left_out=len(corpus) - len(chosen))

    config = SampleConfig(questions=activations.questions)
    return Step("sample", 1, config, {"questions": questions}, Prepared, run)


def count_step(
    config: RunConfig, questions: Input[Prepared], model: Model, answers: Answers | None = None
) -> Step[CountResult]:
    """Count the activated neurons of `model` over the tokens of parallel questions (Eq. 2-3).

    By default each question stands inside the reasoning prompt and only its own tokens are counted. The artifact's
    file is `counts.npz` (see `Counts`); finished units survive a killed attempt.

    Args:
        config: of the run.
        questions: parallel ones.
        model: whose neurons are counted.
        answers: of the base model to the questions of `sample_step`, if `activations.text` is "answer".

    Raises:
        InputError: (when it is planned) prompts are to be put into the model's chat template and it has none.
    """
    activations, dtype = config.activations, config.model.dtype
    prompts = counted_prompts(activations, prompts_for(config.prompts, config.corpora.questions))

    def step_config(artifacts: Artifacts) -> CountConfig:
        check_chat(prompts, artifacts[model])
        return CountConfig(
            activations=CountedConfig.model_validate(activations.model_dump(include=set(CountedConfig.model_fields))),
            prompt=prompts.reasoning,
            chat=prompts.chat,
            thinking=prompts.thinking,
            dtype=dtype,
            languages=artifacts[questions].result.languages,
        )

    def run(attempt: Attempt) -> CountResult:
        corpus, languages = attempt[questions], attempt[questions].result.languages
        texts = answers.read(attempt[answers.responses]) if answers else None
        units = plan(activations, prompts, read_questions(corpus), attempt[model], languages, texts)
        workers = attempt.cluster.workers("counting")
        device = "cuda" if workers.gpus else "cpu"
        finished = attempt.scratch / plan_hash(units, device)
        sums = GroupSums(units, languages)
        for number, counted in saved_units(finished):
            sums.add(number, counted)
        # The largest first, so that no actor works alone for long at the end.
        todo = sorted(sums.missing, key=lambda number: -sum(units[number].lengths))
        total = sum(unit.questions for unit in units)
        progress = Progress("counting", total, "questions", total - sum(units[number].questions for number in todo))
        arguments = attempt[model], dtype, device
        # Closed also if a unit cannot be saved: the actors must have stopped when Ray is shut down.
        with closing(_count(units, todo, workers, arguments)) as results:
            for number, counted in results:
                sums.add(number, counted)
                save_unit(finished, number, counted)
                progress.advance(units[number].questions)
        counts = sums.counts()
        write_counts(attempt.directory / COUNTS_FILE, counts)
        groups, _, layers, neurons = counts.activated.shape
        return CountResult(
            languages=counts.languages,
            tokens=dict(zip(counts.languages, counts.tokens.sum(axis=0).tolist(), strict=True)),
            questions=total // len(counts.languages),
            groups=groups,
            layers=layers,
            neurons=neurons,
        )

    inputs = {"questions": questions, "model": model, **({"answers": answers.responses} if answers else {})}
    return Step("count", 3, Derived([model, questions], step_config), inputs, CountResult, run, workers="counting")


def plan(
    activations: CountedConfig,
    prompts: PromptsConfig,
    questions: Sequence[Question],
    model: ModelRef,
    languages: Sequence[str],
    answers: ByQuestion | None = None,
) -> list[Unit]:
    """The units of work for parallel questions, in the tokens of the model; no group is empty."""
    spoken = [question for question in questions if question.language in languages]
    ids = chosen_ids((question.id for question in spoken), activations.questions)
    chosen = [question for question in spoken if question.id in set(ids)]
    assert len(chosen) == len(ids) * len(languages) > 0, "every question is there in every language"
    encoded = encode(chosen, activations, prompts, load_tokenizer(model.base, model.trusted), answers)
    return plan_units(encoded, ids, min(activations.groups, len(ids)), activations.token_budget)


def _count(
    units: Sequence[Unit], todo: Sequence[int], workers: Workers, arguments: tuple[ModelRef, str, str]
) -> Generator[tuple[int, UnitCounts]]:
    """Yield the numbers and counts of the units to do, in the order in which they are finished.

    A killed actor is restarted and its unit counted again: an actor keeps nothing from one unit to the next.

    Args:
        units: the whole plan.
        todo: numbers of the units to count.
        workers: that count.
        arguments: of each `CountingActor`.

    Raises:
        InputError: an actor said what is wrong with the model.
    """
    if not todo:
        return
    import logging

    import ray.data

    from slam_ray.activations.counter import CountingActor
    from slam_ray.cluster.ray_internals import rows_of, send_actor_arguments_with_the_call, silence_data_progress

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_consecutive_actor_init_deaths = 3
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    silence_data_progress()
    send_actor_arguments_with_the_call()
    # The passes travel as rows, so that the actors' arguments are small.
    rows = [{"unit": number, "passes": pickle.dumps(units[number].passes)} for number in todo]
    counted = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        CountingActor,  # type: ignore[arg-type]
        fn_constructor_args=arguments,
        compute=ray.data.ActorPoolStrategy(size=min(workers.count, len(todo))),
        num_cpus=workers.cpus,
        num_gpus=workers.gpus,
    )
    for row in rows_of(counted):
        if row["error"]:
            raise InputError(row["error"])
        yield row["unit"], row["activated"]

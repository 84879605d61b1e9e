"""The count step: the units of the plan dealt to actors by Ray Data, their integer counts summed by group."""

import pickle
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any

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
from slam_ray.activations.rows import GroupSums, Row, keep_row, kept_rows
from slam_ray.config import CountedConfig, ExecutionConfig, InputError, PromptsConfig, Section
from slam_ray.corpora import Prepared, Question, read_questions
from slam_ray.corpora.artifacts import CORPUS_FILE, write
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import ModelRef, check_chat
from slam_ray.pipeline.progress import Progress
from slam_ray.pipeline.resources import Workers
from slam_ray.pipeline.step import Artifact, Attempt, HasFingerprint, Step


class CountConfig(Section):
    """What decides the counts besides model and questions; the dtype and the token budget decide the rounding."""

    activations: CountedConfig
    prompt: str
    chat: bool
    thinking: bool
    dtype: str
    languages: tuple[str, ...]


class CountResult(BaseModel):
    """What was counted: per language the tokens of all questions, and the shape of the counts."""

    languages: tuple[str, ...]
    tokens: dict[str, int]
    questions: int
    groups: int
    layers: int
    neurons: int


class SampleConfig(Section):
    """How many questions are counted."""

    questions: int


def sample_step(activations: CountedConfig, questions: Artifact[Prepared]) -> Step[Prepared]:
    """The questions that are counted, as a corpus of their own for the model to answer."""

    def run(attempt: Attempt) -> Prepared:
        asked = read_questions(questions)
        chosen = set(chosen_ids((question.id for question in asked), activations.questions))
        kept = [question for question in asked if question.id in chosen]
        write(attempt.directory / CORPUS_FILE, Question, kept)
        records = dict.fromkeys(questions.result.languages, len(chosen))
        return Prepared(records=records, left_out=len(asked) - len(kept))

    config = SampleConfig(questions=activations.questions)
    return Step("sample", 1, config, {"questions": questions}, Prepared, run)


def count_step(
    activations: CountedConfig,
    prompts: PromptsConfig,
    dtype: str,
    questions: Artifact[Prepared],
    model: ModelRef,
    languages: Sequence[str],
    execution: ExecutionConfig,
    answers: Answers | None = None,
) -> Step[CountResult]:
    """Count the activated neurons of `model` over the tokens of parallel questions (Eq. 2-3).

    By default each question stands inside the reasoning prompt and only its own tokens are counted. The artifact's
    file is `counts.npz` (see `Counts`); finished units survive a killed attempt.

    Args:
        answers: of the base model to the questions of `sample_step`, where `activations.text` is "answer".

    Raises:
        InputError: (here) the model has no chat template that it is to be asked in.
    """
    prompts = counted_prompts(activations, prompts)
    check_chat(prompts, model)
    config = CountConfig(
        activations=CountedConfig.model_validate(activations.model_dump(include=set(CountedConfig.model_fields))),
        prompt=prompts.reasoning,
        chat=prompts.chat,
        thinking=prompts.thinking,
        dtype=dtype,
        languages=tuple(languages),
    )

    def run(attempt: Attempt) -> CountResult:
        read = answers.read() if answers else None
        units = plan(activations, prompts, read_questions(questions), model, languages, read)
        workers = attempt.context.workers("counting")
        device = "cuda" if workers.gpus else "cpu"
        kept = attempt.scratch / plan_hash(units, device)
        sums = GroupSums(units, languages)
        for number, row in kept_rows(kept):
            sums.add(number, row)
        todo = sums.missing
        total = sum(unit.questions for unit in units)
        done = total - sum(units[number].questions for number in todo)
        progress = Progress("counting", total, "questions", done)
        # Closed also where a row cannot be kept: nothing of it may be at work when Ray is shut down.
        with closing(_count(units, todo, model, dtype, execution.model_cache, workers, device)) as counted:
            for number, row in counted:
                sums.add(number, row)
                keep_row(kept, number, row)
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

    inputs: dict[str, HasFingerprint] = {"questions": questions, "model": model}
    if answers is not None:
        inputs["answers"] = answers.artifact
    return Step("count", 2, config, inputs, CountResult, run, workers="counting")


def plan(
    activations: CountedConfig,
    prompts: PromptsConfig,
    questions: Sequence[Question],
    model: ModelRef,
    languages: Sequence[str],
    answers: ByQuestion | None = None,
) -> list[Unit]:
    """The units of work for parallel questions, in the tokens of the model; no group is empty."""
    asked = [question for question in questions if question.language in languages]
    ids = chosen_ids((question.id for question in asked), activations.questions)
    chosen = [question for question in asked if question.id in set(ids)]
    assert len(chosen) == len(ids) * len(languages) > 0, "every question is there once in every language"
    encoded = encode(chosen, activations, prompts, load_tokenizer(model.base, model.trusted), answers)
    return plan_units(encoded, ids, min(activations.groups, len(ids)), activations.token_budget)


def _count(
    units: Sequence[Unit],
    todo: Sequence[int],
    model: ModelRef,
    dtype: str,
    model_cache: str,
    workers: Workers,
    device: str,
) -> Generator[tuple[int, Row]]:
    """Yield the counts of the units to do, in the order in which they are finished.

    A killed actor is restarted and its unit counted again: an actor keeps nothing from one unit to the next.

    Raises:
        InputError: an actor said what is wrong with the model.
    """
    if not todo:
        return
    import logging

    import ray.data
    from ray.data.block import BlockAccessor

    from slam_ray.activations.counter import CountingActor
    from slam_ray.pipeline.actor_arguments import send_with_the_call

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_consecutive_actor_init_deaths = 3
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
    send_with_the_call()
    # What is counted travels as rows, so that the actors' arguments are small.
    rows = [{"unit": number, "passes": pickle.dumps(units[number].passes)} for number in todo]
    counted = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        CountingActor,  # type: ignore[arg-type]
        fn_constructor_args=(model, dtype, model_cache, device),
        compute=ray.data.ActorPoolStrategy(size=min(workers.count, len(todo))),
        num_cpus=workers.cpus,
        num_gpus=workers.gpus,
    )
    # Not `iter_rows`: it fetches in threads that outlive an error, and one that calls Ray when that is shut down ends
    # the process before the error is said.
    for bundle in counted.iter_internal_ref_bundles():
        for block in bundle.blocks:
            fetched: Any = BlockAccessor.for_block(ray.get(block.ref))
            for row in fetched.iter_rows(public_row_format=True):
                if row["error"]:
                    raise InputError(row["error"])
                yield row["unit"], row["activated"]

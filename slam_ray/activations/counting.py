"""The count step: the forward passes of the plan dealt to actors by Ray Data, their integer counts summed by group."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from slam_ray.activations.counts import COUNTS_FILE, Counts, write_counts
from slam_ray.activations.plan import Encoded, Unit, chosen_ids, plan_hash, plan_units
from slam_ray.config import ActivationsConfig, ExecutionConfig, InputError, PromptsConfig, Section
from slam_ray.corpora import Prepared, Question, read_questions
from slam_ray.corpora.prompts import question_span, reasoning_prompt
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.progress import Progress
from slam_ray.pipeline.resources import Workers
from slam_ray.pipeline.step import Artifact, Attempt, Step

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = npt.NDArray[np.uint32]


class CountConfig(Section):
    """What decides the counts, besides model and questions. The dtype and the token budget decide the rounding."""

    activations: ActivationsConfig
    prompt: str
    dtype: str
    languages: tuple[str, ...]


class CountResult(BaseModel):
    """What was counted: per language the tokens, over all groups."""

    languages: tuple[str, ...]
    tokens: dict[str, int]
    questions: int
    groups: int
    layers: int
    neurons: int


def count_step(
    activations: ActivationsConfig,
    prompts: PromptsConfig,
    dtype: str,
    questions: Artifact[Prepared],
    model: ModelRef,
    languages: Sequence[str],
    execution: ExecutionConfig,
) -> Step[CountResult]:
    """Count the activated neurons of `model` over parallel questions inside the reasoning prompt (Eq. 2-3).

    Only the question's own tokens are counted. Its file is `counts.npz` (see `Counts`).
    """
    config = CountConfig(
        activations=activations, prompt=prompts.reasoning, dtype=dtype, languages=tuple(languages)
    )

    def run(attempt: Attempt) -> CountResult:
        units = plan(activations, prompts, read_questions(questions), model, languages)
        workers = attempt.context.workers("counting")
        device = "cuda" if workers.gpus else "cpu"
        finished = Finished(attempt.scratch / plan_hash(units, device), units)
        todo = [number for number in range(len(units)) if number not in finished]
        progress = Progress(
            "counting",
            total=sum(unit.questions for unit in units),
            unit="questions",
            done=sum(unit.questions for unit in units) - sum(units[number].questions for number in todo),
        )
        for number, row in _count(units, todo, model, dtype, execution, workers, device):
            finished.add(number, row)
            progress.advance(units[number].questions)
        counts = finished.summed(config.languages)
        write_counts(attempt.directory / COUNTS_FILE, counts)
        groups, _, layers, neurons = counts.activated.shape
        return CountResult(
            languages=counts.languages,
            tokens=dict(zip(counts.languages, counts.tokens.sum(axis=0).tolist(), strict=True)),
            questions=sum(unit.questions for unit in units) // len(counts.languages),
            groups=groups,
            layers=layers,
            neurons=neurons,
        )

    return Step("count", 1, config, {"questions": questions, "model": model}, CountResult, run, workers="counting")


def plan(
    activations: ActivationsConfig,
    prompts: PromptsConfig,
    questions: Sequence[Question],
    model: ModelRef,
    languages: Sequence[str],
) -> list[Unit]:
    """The units of work for these questions, encoded with the model's tokenizer; no group is empty."""
    asked = [question for question in questions if question.language in languages]
    ids = chosen_ids((question.id for question in asked), activations.questions)
    known = set(ids)
    encoded = encode([question for question in asked if question.id in known], prompts, load_tokenizer(model.base))
    assert len(encoded) == len(ids) * len(languages), "every question is there once in every language"
    return plan_units(encoded, ids, min(activations.groups, len(ids)), activations.token_budget)


def encode(
    questions: Sequence[Question], prompts: PromptsConfig, tokenizer: "PreTrainedTokenizerBase"
) -> list[Encoded]:
    """Tokens of each question's reasoning prompt, and which of them are the question's own."""
    texts = [reasoning_prompt(prompts, question.question) for question in questions]
    batch: Any = tokenizer(texts, return_offsets_mapping=True)
    encoded = []
    for question, tokens, offsets in zip(questions, batch["input_ids"], batch["offset_mapping"], strict=True):
        first, last = question_span(prompts, question.question)
        # BOS and the like have empty offsets; so may white space inside the question, hence the range between.
        own = [place for place, (start, end) in enumerate(offsets) if max(start, first) < min(end, last)]
        if not own:
            raise InputError(f"question {question.id} in {question.language} has no tokens of its own")
        encoded.append(Encoded(question.id, question.language, tuple(tokens), own[0], own[-1] + 1))
    return encoded


class Finished:
    """Finished units, each in its own file, so that a killed attempt's work is kept.

    Args:
        folder: made for one plan; holds the files of an earlier attempt at it, if there was one.
        units: the plan.
    """

    def __init__(self, folder: Path, units: Sequence[Unit]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._units = folder, units

    def __contains__(self, number: int) -> bool:
        return self._file(number).exists()

    def add(self, number: int, row: Row) -> None:
        """Keep the counts [layers, neurons] of a unit; its file is there whole or not at all."""
        draft = self._folder / f"{number}.draft.npy"
        np.save(draft, row)
        draft.rename(self._file(number))

    def summed(self, languages: Sequence[str]) -> Counts:
        """The counts of all units, by group and language."""
        groups = max(unit.group for unit in self._units) + 1
        first = np.load(self._file(0))
        activated = np.zeros((groups, len(languages), *first.shape), dtype=np.uint32)
        tokens = np.zeros((groups, len(languages)), dtype=np.int64)
        for number, unit in enumerate(self._units):
            cell = unit.group, languages.index(unit.language)
            activated[cell] += np.load(self._file(number))
            tokens[cell] += unit.tokens
        return Counts(tuple(languages), activated, tokens)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.npy"


def _count(
    units: Sequence[Unit],
    todo: Sequence[int],
    model: ModelRef,
    dtype: str,
    execution: ExecutionConfig,
    workers: Workers,
    device: str,
) -> Iterator[tuple[int, Row]]:
    """Yield the counts of each unit to do once, in the order in which they are finished.

    A killed actor is restarted and its unit counted again: an actor keeps nothing from one unit to the next.
    """
    if not todo:
        return
    import logging

    import ray.data

    from slam_ray.activations.counter import CountingActor

    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_consecutive_actor_init_deaths = 3
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    with ray.data.DataContext.current(context):
        rows = ray.data.from_items([{"unit": number} for number in todo], override_num_blocks=len(todo)).map(
            CountingActor,
            fn_constructor_args=(units, model, dtype, execution.model_cache, device),
            compute=ray.data.ActorPoolStrategy(size=min(workers.count, len(todo))),
            num_cpus=workers.cpus,
            num_gpus=workers.gpus,
        )
        missing = set(todo)
        for row in rows.iter_rows():
            missing.remove(row["unit"])
            yield row["unit"], row["activated"]
    assert not missing, f"units {sorted(missing)} were never counted"

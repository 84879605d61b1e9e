"""What must hold of model and texts before any worker is started: layers, projections, templates, beginnings, lengths.

Of the texts, the longest, the shortest and the odd ones of each language are looked at; the steps look at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from slam_ray.activations.plan import chosen_ids, encode, plan_units
from slam_ray.config import CountedConfig, PromptsConfig, RunConfig
from slam_ray.corpora import Pair, Prepared, Question, read_pairs, read_questions
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.prompts import ask, prompts_for
from slam_ray.corpora.tokens import beginning_of
from slam_ray.evaluation.english_loss import check_texts
from slam_ray.evaluation.generation import check_lengths
from slam_ray.models.bos_token import missing_bos_note
from slam_ray.models.context_length import check_fits_context, context_length
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.process_without_torch import call_without_torch
from slam_ray.models.reference import Model, ModelRef
from slam_ray.recipes.benchmarks import Benchmark
from slam_ray.recipes.texts import Texts
from slam_ray.selection import check_layers
from slam_ray.store.step import Artifacts, Check, Derived, Input
from slam_ray.training import check_projections, check_training
from slam_ray.training.examples import tokenize

T = TypeVar("T", bound=Pair | Question)
LENGTHS, ODD = 20, 1000  # longest and shortest texts of each language; texts that may spell an end of sequence


@dataclass(frozen=True)
class Prompted:
    """Questions, at least one, and the prompts that a model reads them in."""

    questions: Sequence[Question]
    prompts: PromptsConfig


@dataclass(frozen=True)
class Samples:
    """Texts that a run has the model read.

    Attributes:
        answered: questions that it answers.
        counted: those whose activated neurons are counted.
        pairs: that it is trained on.
        english: texts whose loss is measured.
    """

    answered: Sequence[Prompted]
    counted: Prompted | None = None
    pairs: Sequence[Pair] = ()
    english: Sequence[Question] = ()


def settings_check(config: RunConfig, model: Model) -> Check:
    """The model can be tuned as the configuration says."""

    def look(artifacts: Artifacts) -> list[str]:
        check_model(config, artifacts[model])
        return []

    return Derived([model], look)


def check_model(config: RunConfig, model: ModelRef) -> None:
    """Raise InputError if the model cannot be tuned as the configuration says."""
    check_parts(config, model)
    check_training(config.training, config.model.dtype, model)


def check_parts(config: RunConfig, model: ModelRef) -> None:
    """Raise InputError if the model lacks a layer or a projection that the configuration names."""
    if (count := model.layer_count) is not None:
        check_layers(config.selection, count)
    check_projections(config.training, model)


def texts_check(config: RunConfig, model: Model, benchmarks: Sequence[Benchmark], tuning: Texts | None = None) -> Check:
    """The model can read the problems of these benchmarks, and what `tuning` it reads if it is tuned."""

    def look(artifacts: Artifacts) -> list[str]:
        answered = [
            Prompted(sample(read_questions(artifacts[benchmark.problems])), benchmark.prompts)
            for benchmark in benchmarks
        ]
        samples = _of_tuning(config, answered, tuning, artifacts) if tuning else Samples(answered)
        reference = artifacts[model]
        if reference.trusted:  # code of its own may need torch
            return check_samples(config, reference, samples)
        return call_without_torch(check_samples, config, reference, samples)

    reads: list[Input[Prepared] | Model] = [model, *(benchmark.problems for benchmark in benchmarks)]
    if tuning is not None:
        reads += [tuning.questions, tuning.pairs, *([tuning.english] if tuning.english else [])]
    return Derived(reads, look)


def check_samples(config: RunConfig, model: ModelRef, texts: Samples) -> list[str]:
    """What to tell people about these texts.

    Raises:
        InputError: the tokenizer or the chat template cannot be used, a text is too long or cannot be read, or the
            model would miss its beginning of sequence.
    """
    tokenizer = load_tokenizer(model.base, model.trusted)
    begins = {len(beginning_of(tokenizer))} if texts.pairs or texts.english else set()
    context = context_length(model, config.execution.max_context)
    for problems in texts.answered:
        prompts = ask(problems.prompts, [each.question for each in problems.questions], tokenizer)
        lengths = [len(prompt.tokens) for prompt in prompts]
        check_lengths(problems.questions, lengths, config.evaluation.max_new_tokens, context)
        begins |= {prompt.begins for prompt in prompts}
    if texts.counted is not None:
        questions = texts.counted.questions
        activations: CountedConfig = config.activations
        if activations.text == "answer":  # there is none yet
            activations = activations.model_copy(update={"text": "prompt"})
        encoded = encode(questions, activations, texts.counted.prompts, tokenizer)
        plan_units(encoded, [question.id for question in questions], 1, activations.token_budget)
        counted = max(encoded, key=lambda question: len(question.tokens))
        named = f"question {counted.id} in {counted.language} with its prompt"
        check_fits_context(named, len(counted.tokens), model, "leave it out, or shorten prompts.reasoning")
    if texts.pairs:
        known = Languages.of(config.corpora)
        examples = tokenize(tokenizer, config.prompts, texts.pairs, config.training.max_length, known)
        trained = max(examples, key=lambda example: len(example.tokens))
        shorter = "lower training.max_length, so that longer pairs are left out"
        check_fits_context(f"the pair {trained.name}", len(trained.tokens), model, shorter)
    check_texts(tokenizer, [text.question for text in texts.english])
    note = missing_bos_note(model, tokenizer) if 0 in begins else None
    return [note] if note is not None else []


def sample(texts: Sequence[T]) -> list[T]:
    """The longest and the shortest of each language, by bytes, and those that may hold a special token."""
    by_language: dict[str, list[T]] = {}
    for text in sorted(texts, key=lambda text: len(_all_of(text).encode())):
        by_language.setdefault(text.language, []).append(text)
    chosen = [text for text in texts if "<" in _all_of(text)][:ODD]
    for in_order in by_language.values():
        chosen += [*in_order[:LENGTHS], *in_order[LENGTHS:][-LENGTHS:]]
    return chosen


def _all_of(text: Pair | Question) -> str:
    return text.question if isinstance(text, Question) else text.source + text.english


def _of_tuning(config: RunConfig, answered: Sequence[Prompted], texts: Texts, artifacts: Artifacts) -> Samples:
    questions = read_questions(artifacts[texts.questions])
    ids = set(chosen_ids((question.id for question in questions), config.activations.questions))
    prompts = prompts_for(config.prompts, config.corpora.questions)
    counted = Prompted(sample([question for question in questions if question.id in ids]), prompts)
    return Samples(
        answered=[*answered, counted] if config.activations.text == "answer" else answered,
        counted=counted,
        pairs=sample(read_pairs(artifacts[texts.pairs])),
        english=sample(read_questions(artifacts[texts.english])) if texts.english else (),
    )

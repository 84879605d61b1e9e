"""Looks at texts as the model's tokens before any worker is started: templates, beginnings, lengths.

The longest, the shortest and the odd texts of each language are looked at; the steps look at all of theirs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from slam_ray.activations.plan import chosen_ids, encode, plan_units
from slam_ray.config import CountedConfig, PromptsConfig, RunConfig
from slam_ray.corpora import Pair, Question, read_pairs, read_questions
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.prompts import ask, prompts_for
from slam_ray.corpora.tokens import beginning_of
from slam_ray.evaluation.english_loss import check_texts
from slam_ray.evaluation.generation import check_lengths
from slam_ray.models.beginnings import missing_beginning
from slam_ray.models.context import check_reads, context_length
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.child import call_without_torch
from slam_ray.pipeline.stages import Check, Done
from slam_ray.training.examples import tokenize

T = TypeVar("T", bound=Pair | Question)
LENGTHS, ODD = 20, 1000  # longest and shortest texts of each language; texts that may spell an end of sequence


@dataclass(frozen=True)
class Problems:
    """What a model is to answer, at least one question, in which prompts."""

    questions: Sequence[Question]
    prompts: PromptsConfig


@dataclass(frozen=True)
class Texts:
    """What a run has the model read.

    Attributes:
        answered: questions that it answers.
        counted: those whose activated neurons are counted.
        pairs: that it is trained on.
        english: texts whose loss is measured.
    """

    answered: Sequence[Problems]
    counted: Problems | None = None
    pairs: Sequence[Pair] = ()
    english: Sequence[Question] = ()


def texts_check(
    config: RunConfig, base: Callable[[Done], ModelRef], asked: Mapping[str, PromptsConfig], tuning: bool
) -> Check:
    """Look at the problems of the stages `asked`, each with its prompts, and at what tuning reads if there is any."""

    def look(done: Done) -> list[str]:
        model = base(done)
        answered = [Problems(some(read_questions(done[title])), prompts) for title, prompts in asked.items()]
        texts = _tuned(config, answered, done) if tuning else Texts(answered)
        if model.trusted:  # code of its own may need torch
            return looked_at(config, model, texts)
        return call_without_torch(looked_at, config, model, texts)

    return Check(look)


def looked_at(config: RunConfig, model: ModelRef, texts: Texts) -> list[str]:
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
        check_reads(named, len(counted.tokens), model, "leave it out, or shorten prompts.reasoning")
    if texts.pairs:
        known = Languages.of(config.corpora)
        examples = tokenize(tokenizer, config.prompts, texts.pairs, config.training.max_length, known)
        trained = max(examples, key=lambda example: len(example.tokens))
        shorter = "lower training.max_length, so that longer pairs are left out"
        check_reads(f"the pair {trained.name}", len(trained.tokens), model, shorter)
    check_texts(tokenizer, [text.question for text in texts.english])
    note = missing_beginning(model, tokenizer) if 0 in begins else None
    return [note] if note is not None else []


def some(texts: Sequence[T]) -> list[T]:
    """The longest and the shortest of each language, by bytes, and those that may hold a special token."""
    by_language: dict[str, list[T]] = {}
    for text in sorted(texts, key=lambda text: len(_all_of(text).encode())):
        by_language.setdefault(text.language, []).append(text)
    chosen = [text for text in texts if "<" in _all_of(text)][:ODD]
    for own in by_language.values():
        chosen += [*own[:LENGTHS], *own[LENGTHS:][-LENGTHS:]]
    return chosen


def _all_of(text: Pair | Question) -> str:
    return text.question if isinstance(text, Question) else text.source + text.english


def _tuned(config: RunConfig, answered: Sequence[Problems], done: Done) -> Texts:
    questions = read_questions(done["questions"])
    ids = set(chosen_ids((question.id for question in questions), config.activations.questions))
    prompts = prompts_for(config.prompts, config.corpora.questions)
    counted = Problems(some([question for question in questions if question.id in ids]), prompts)
    return Texts(
        answered=[*answered, counted] if config.activations.text == "answer" else answered,
        counted=counted,
        pairs=some(read_pairs(done["pairs"])),
        english=some(read_questions(done["english"])) if config.corpora.english is not None else (),
    )

"""The generate step: a model's responses to the problems of a benchmark, greedy (appendix A.3, Table 8)."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from slam_ray.config import InputError, PromptsConfig, RunConfig, Section
from slam_ray.corpora import Prepared, Question, read_questions
from slam_ray.corpora.prompts import ask
from slam_ray.evaluation.responses import (
    RESPONSES_FILE,
    FinishedResponses,
    GenerateResult,
    Response,
    write_responses,
)
from slam_ray.models.context_length import ContextLength, context_length
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import Model, ModelRef, check_chat
from slam_ray.store.step import Artifacts, Attempt, Derived, Input, Step
from slam_ray.terminal.progress import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from slam_ray.evaluation.engine import Completion


class GenerateConfig(Section):
    """What decides the responses besides the model and the problems; the dtype decides the rounding."""

    max_new_tokens: int
    prompt: str
    chat: bool
    thinking: bool
    dtype: str


def generate_step(
    config: RunConfig, prompts: PromptsConfig, problems: Input[Prepared], model: Model
) -> Step[GenerateResult]:
    """Have `model` answer every problem, or every question of a corpus, in vLLM engines.

    The artifact's file is `responses.parquet`: id, language, prompt, response, finish, tokens; sorted by language and
    id. Finished responses survive a killed attempt.

    Raises:
        InputError: the engines cannot compute in the model's dtype; (when it is planned) the prompt is to be wrapped in
            a chat template that the model does not have; (in its run) a prompt is too long for the model.
    """
    if config.model.dtype == "float64":
        raise InputError("model.dtype: vLLM does not generate in float64; choose float32 or bfloat16")

    def step_config(artifacts: Artifacts) -> GenerateConfig:
        check_chat(prompts, artifacts[model])
        return GenerateConfig(
            max_new_tokens=config.evaluation.max_new_tokens,
            prompt=prompts.reasoning,
            chat=prompts.chat,
            thinking=prompts.thinking,
            dtype=config.model.dtype,
        )

    def run(attempt: Attempt) -> GenerateResult:
        questions = read_questions(attempt[problems])
        finished = FinishedResponses(attempt.scratch, attempt.output.name)
        responses = {(response.language, response.id): response for response in finished.of_earlier_attempts()}
        progress = Progress("generating", len(questions), "responses", len(responses))
        for batch in _generate(questions, set(responses), config, prompts, attempt[model], attempt):
            finished.add(batch)
            responses |= {(response.language, response.id): response for response in batch}
            progress.advance(len(batch))
        assert len(responses) == len(questions), "a problem has no response, or two problems have the same id"
        write_responses(attempt.directory / RESPONSES_FILE, responses.values())
        counts = Counter(response.language for response in responses.values())
        return GenerateResult(
            responses={language: counts[language] for language in attempt[problems].result.languages},
            tokens=sum(response.tokens for response in responses.values()),
            cut=sum(response.finish == "length" for response in responses.values()),
        )

    inputs = {"problems": problems, "model": model}
    return Step("generate", 2, Derived([model], step_config), inputs, GenerateResult, run, workers="engines")


def check_lengths(
    problems: Sequence[Question], tokens: Sequence[int], max_new_tokens: int, context: ContextLength
) -> None:
    """Raise InputError, naming the longest problem, if a prompt and its answer may not fit the context.

    Args:
        problems: at least one.
        tokens: number of tokens in the prompt of each.
        max_new_tokens: of an answer.
        context: the model's (`context_length`).
    """
    longest = max(range(len(problems)), key=tokens.__getitem__)
    if tokens[longest] + max_new_tokens > context.tokens:
        problem = problems[longest]
        remedies = [context.remedy, "lower evaluation.max_new_tokens", "leave the problem out"]
        raise InputError(
            f"problem {problem.id!r} ({problem.language}): its prompt of {tokens[longest]} tokens and"
            f" {max_new_tokens} new ones do not fit {context.limit}; {' or '.join(filter(None, remedies))}"
        )


def _generate(
    problems: Sequence[Question],
    answered: Collection[tuple[str, str]],
    config: RunConfig,
    prompts: PromptsConfig,
    model: ModelRef,
    attempt: Attempt,
) -> Iterator[list[Response]]:
    """Yield responses as they are finished, from engines that stay up for the next step.

    Problems that an earlier attempt `answered` (language and id) are not asked again, but their prompts count for the
    engines' context, so that all responses come from the same kind of engine.
    """
    todo = [key for key, problem in enumerate(problems) if (problem.language, problem.id) not in answered]
    if not todo:
        return
    from slam_ray.evaluation.engine import EngineKind, Request, engine_context
    from slam_ray.evaluation.pool import EnginePool

    tokenizer = load_tokenizer(model.base, model.trusted)
    prompted = ask(prompts, [problem.question for problem in problems], tokenizer)
    context = context_length(model, config.execution.max_context)
    lengths, max_new_tokens = [len(prompt.tokens) for prompt in prompted], config.evaluation.max_new_tokens
    check_lengths(problems, lengths, max_new_tokens, context)
    kind = EngineKind(config.model.dtype, engine_context(context, max(lengths) + max_new_tokens))
    requests = [Request(key, prompted[key].tokens, max_new_tokens) for key in todo]
    workers = attempt.cluster.workers("engines")
    pool = attempt.cluster.keep("engines", lambda: EnginePool(workers))
    for completions in pool.generate(model, kind, requests):
        yield [_response(problems[item.key], prompted[item.key].text, item, tokenizer) for item in completions]


def _response(
    problem: Question, prompt: str, completion: "Completion", tokenizer: "PreTrainedTokenizerBase"
) -> Response:
    text = tokenizer.decode(list(completion.tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert isinstance(text, str)
    return Response(problem.id, problem.language, prompt, text, completion.finish, len(completion.tokens))

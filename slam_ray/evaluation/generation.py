"""The generate step: a model's responses to the problems of a benchmark, greedy (appendix A.3, Table 8)."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slam_ray.config import EvaluationConfig, ExecutionConfig, InputError, PromptsConfig, Section
from slam_ray.corpora import Prepared, Question, read_questions
from slam_ray.corpora.prompts import ask
from slam_ray.evaluation.responses import (
    RESPONSES_FILE,
    FinishedRows,
    GenerateResult,
    Response,
    write_responses,
)
from slam_ray.models.context import ContextLength, context_length
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import ModelRef, check_chat
from slam_ray.pipeline.progress import Progress
from slam_ray.pipeline.step import Artifact, Attempt, Step

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from slam_ray.evaluation.engine import Completion


class GenerateConfig(Section):
    """What decides the responses besides model and problems; the dtype decides the rounding."""

    max_new_tokens: int
    prompt: str
    chat: bool
    thinking: bool
    dtype: str


def generate_step(
    config: EvaluationConfig,
    prompts: PromptsConfig,
    dtype: str,
    problems: Artifact[Prepared],
    model: ModelRef,
    execution: ExecutionConfig,
) -> Step[GenerateResult]:
    """Have `model` answer every problem, or every question of a corpus, in vLLM engines.

    The artifact's file is `responses.parquet`: id, language, prompt, response, finish, tokens; sorted by language and
    id. Finished responses survive a killed attempt.

    Raises:
        InputError: the engines cannot compute in `dtype`, or the model has no chat template that it is to be asked in;
            (in its run) a prompt is too long for the model.
    """
    check_chat(prompts, model)
    if dtype == "float64":
        raise InputError("model.dtype: vLLM does not generate in float64; choose float32 or bfloat16")

    made_of = GenerateConfig(
        max_new_tokens=config.max_new_tokens,
        prompt=prompts.reasoning,
        chat=prompts.chat,
        thinking=prompts.thinking,
        dtype=dtype,
    )

    def run(attempt: Attempt) -> GenerateResult:
        asked = read_questions(problems)
        kept = FinishedRows(attempt.scratch, attempt.output.name)
        responses = {(response.language, response.id): response for response in kept.earlier()}
        progress = Progress("generating", len(asked), "responses", len(responses))
        for finished in _generate(asked, set(responses), made_of, prompts, model, attempt, execution):
            kept.add(finished)
            responses |= {(response.language, response.id): response for response in finished}
            progress.advance(len(finished))
        assert len(responses) == len(asked), "every problem is there once and has one response"
        write_responses(attempt.directory / RESPONSES_FILE, responses.values())
        counts = Counter(response.language for response in responses.values())
        return GenerateResult(
            responses={language: counts[language] for language in problems.result.languages},
            tokens=sum(response.tokens for response in responses.values()),
            cut=sum(response.finish == "length" for response in responses.values()),
        )

    return Step("generate", 2, made_of, {"problems": problems, "model": model}, GenerateResult, run, workers="engines")


def check_lengths(
    problems: Sequence[Question], tokens: Sequence[int], max_new_tokens: int, context: ContextLength
) -> None:
    """Raise InputError, naming the longest problem, if a prompt and its answer may not fit the context.

    Args:
        problems: at least one.
        tokens: of the prompt of each.
        max_new_tokens: that an answer may have.
        context: of the model that is asked (`context_length`).
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
    config: GenerateConfig,
    prompts: PromptsConfig,
    model: ModelRef,
    attempt: Attempt,
    execution: ExecutionConfig,
) -> Iterator[list[Response]]:
    """Yield responses as they are finished, by engines that stay up for the next step of their kind.

    Those `answered` (language and id) before are not asked again, but count for the engines' context: what another
    attempt finished came from the same ones.
    """
    todo = [key for key, problem in enumerate(problems) if (problem.language, problem.id) not in answered]
    if not todo:
        return
    from slam_ray.evaluation.engine import EngineKind, Request, engine_context
    from slam_ray.evaluation.pool import EnginePool

    tokenizer = load_tokenizer(model.base, model.trusted)
    asked = ask(prompts, [problem.question for problem in problems], tokenizer)
    context = context_length(model, execution.max_context)
    lengths = [len(each.tokens) for each in asked]
    check_lengths(problems, lengths, config.max_new_tokens, context)
    kind = EngineKind(config.dtype, engine_context(context, max(lengths) + config.max_new_tokens))
    requests = [Request(key, asked[key].tokens, config.max_new_tokens) for key in todo]
    workers = attempt.context.workers("engines")
    pool = attempt.context.hold("engines", lambda: EnginePool(workers, Path(execution.model_cache)))
    for completions in pool.generate(model, kind, requests):
        yield [_response(problems[item.key], asked[item.key].text, item, tokenizer) for item in completions]


def _response(
    problem: Question, prompt: str, completion: "Completion", tokenizer: "PreTrainedTokenizerBase"
) -> Response:
    text = tokenizer.decode(list(completion.tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert isinstance(text, str)
    return Response(problem.id, problem.language, prompt, text, completion.finish, len(completion.tokens))

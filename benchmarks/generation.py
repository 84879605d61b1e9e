"""How fast are the engines, against one vLLM? `python -m benchmarks.generation MODEL --questions FOLDER`.

Ours is the pool that the generate step asks: two engines of one core each, in actors of Ray. The peer is one
`vllm.LLM.generate` over all prompts with all cores, each of its threads bound to one. Both answer the same questions in
the reasoning prompt, greedily, with equally many new tokens at most. Engine starts count on neither side: before its
time is taken each side answers a few of the prompts, whose cache is then emptied or too small to matter. Tokens are
those of the answers.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.measurement import (
    Figures,
    Repeat,
    against_peers,
    alternate,
    cores,
    digest,
    figures,
    finish,
    in_fresh_process,
    machine_peak,
)
from benchmarks.texts import QuestionTask, add_model, add_source, config_of, first_questions, questions_of
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.corpora import read_questions
from slam_ray.corpora.prompts import ask
from slam_ray.evaluation.engine import EngineKind, Request, engine_context, environment
from slam_ray.evaluation.pool import EnginePool
from slam_ray.models.context_length import context_length
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import base_model

PEER, AT_LEAST = "one vllm.LLM", 0.95
WARM_UP_PROMPTS, WARM_UP_TOKENS = 4, 8
PEER_CACHE_BYTES = 2**30  # as much as two of our engines have


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model(parser)
    add_source(parser, "questions", "mgsm")
    parser.add_argument("--count", type=int, default=12, help="questions of each language")
    parser.add_argument("--new-tokens", type=int, default=128, help="at most, of an answer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        finish(measure(arguments, Path(folder)), arguments.keep)


def measure(arguments: argparse.Namespace, folder: Path) -> Figures:
    """All repeats of both sides."""
    task = task_of(arguments, folder)
    sides = {"ours": partial(in_fresh_process, ours, task), PEER: partial(in_fresh_process, peer, task)}
    work = (
        f"{task.config.model.name}, {arguments.dtype}, {arguments.count} questions in"
        f" {len(task.questions.result.languages)} languages, at most {arguments.new_tokens} new tokens"
    )
    peak = machine_peak(arguments.dtype)
    comparisons = against_peers(alternate(sides, arguments.repeats), {PEER: AT_LEAST}, peak)
    return figures("generation", "tokens/s", work, comparisons, peak)


def task_of(arguments: argparse.Namespace, folder: Path) -> QuestionTask:
    """The first questions of each language."""
    config = config_of(
        folder,
        {"questions": (arguments.questions, arguments.questions_format)},
        model={"path": arguments.model, "dtype": arguments.dtype},
        evaluation={"max_new_tokens": arguments.new_tokens},
        execution={"engines": arguments.workers},
    )
    return QuestionTask(config, first_questions(config, questions_of(config), arguments.count))


def ours(task: QuestionTask) -> Repeat:
    """All prompts through the pool of a run."""
    config, model, requests = task.config, base_model(str(task.config.model.path)), _requests(task)
    warm_up = [Request(request.key, request.prompt, WARM_UP_TOKENS) for request in requests[:WARM_UP_PROMPTS]]
    with RayCluster(config.execution) as cluster:
        workers = cluster.workers("engines")
        pool = cluster.keep("engines", lambda: EnginePool(workers))
        for _ in pool.generate(model, _kind(task), warm_up):
            pass
        began = time.monotonic()
        completions = [each for some in pool.generate(model, _kind(task), requests) for each in some]
        seconds = time.monotonic() - began
    assert len(completions) == len(requests)
    return _repeat(requests, sum(len(completion.tokens) for completion in completions), seconds)


def peer(task: QuestionTask) -> Repeat:
    """All prompts through one vLLM."""
    import os

    os.environ |= environment(cores())
    # The only engine here: its threads may keep a core each and wait for one another awake, which is faster.
    os.environ["VLLM_CPU_OMP_THREADS_BIND"] = f"0-{cores() - 1}"
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        del os.environ[name]
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    kind, requests = _kind(task), _requests(task)
    llm = LLM(
        model=str(task.config.model.path),
        dtype=kind.dtype,  # type: ignore[arg-type]
        max_model_len=kind.context,
        enforce_eager=True,
        kv_cache_memory_bytes=PEER_CACHE_BYTES,
        seed=0,
    )

    def generate(some: list[Request], new_tokens: int) -> int:
        greedy = SamplingParams(temperature=0, max_tokens=new_tokens, detokenize=False)
        prompts = [TokensPrompt(prompt_token_ids=list(request.prompt)) for request in some]
        return sum(len(answer.outputs[0].token_ids) for answer in llm.generate(prompts, greedy, use_tqdm=False))

    generate(requests[:WARM_UP_PROMPTS], WARM_UP_TOKENS)
    began = time.monotonic()
    tokens = generate(requests, task.config.evaluation.max_new_tokens)
    return _repeat(requests, tokens, time.monotonic() - began)


def _requests(task: QuestionTask) -> list[Request]:
    """As the generate step makes them of the questions."""
    questions, config = read_questions(task.questions), task.config
    tokenizer = load_tokenizer(base_model(str(config.model.path)).base)
    prompts = ask(config.prompts, [question.question for question in questions], tokenizer)
    return [Request(key, prompt.tokens, config.evaluation.max_new_tokens) for key, prompt in enumerate(prompts)]


def _kind(task: QuestionTask) -> EngineKind:
    context = context_length(base_model(str(task.config.model.path)), None)
    longest = max(len(request.prompt) + request.max_new_tokens for request in _requests(task))
    return EngineKind(task.config.model.dtype, engine_context(context, longest))


def _repeat(requests: list[Request], tokens: int, seconds: float) -> Repeat:
    return Repeat(seconds=seconds, amount=tokens, tokens=tokens, texts=digest(request.prompt for request in requests))


if __name__ == "__main__":
    main()

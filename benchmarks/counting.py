"""How fast is counting, against a bare forward pass? `python -m benchmarks.counting MODEL --questions FOLDER`.

Ours is the count step of a run: Ray Data, two actors of one core each, packed passes, and every neuron of every layer
counted. The peers only compute the last hidden states of the same texts with transformers' own attention, padded in
batches of 8, in the order of the corpus or sorted by length; they have all cores, in one process or in one for each
core, whichever is faster in a trial. Process starts and loading count on neither side. Ours is timed from when the
first unit of the plan was saved to when the last one was; by the first moment each actor, all of which start together,
is taken to have done as much as that unit.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from benchmarks.flops import forward_flops
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
from benchmarks.texts import QuestionTask, add_model, add_source, config_of, questions_of
from slam_ray.activations import count_step
from slam_ray.activations.counting import plan
from slam_ray.activations.plan import Unit
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.corpora import read_questions
from slam_ray.corpora.prompts import prompts_for
from slam_ray.models.reference import base_model
from slam_ray.store.local import LocalLocation
from slam_ray.store.step import Artifacts, Attempt, known
from slam_ray.store.storage import Storage

CORPUS_ORDER, SORTED = "padded, in corpus order", "padded, sorted by length"
AT_LEAST = {CORPUS_ORDER: 1.15, SORTED: 0.95}
BATCH = 8  # texts of the peers' forward passes
TRIAL_BATCHES = 12
# Half as many as by default (500 in 20 groups): so the end, at which an actor waits for the last unit of another, is
# not a much larger part than in a whole run.
QUESTIONS_OF_GROUP = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model(parser)
    add_source(parser, "questions", "mgsm")
    parser.add_argument("--count", type=int, default=25, help="questions, each in every language")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        finish(measure(arguments, Path(folder)), arguments.keep)


def measure(arguments: argparse.Namespace, folder: Path) -> Figures:
    """All repeats of all sides."""
    task = task_of(arguments, folder, arguments.count)
    trial = {
        processes: in_fresh_process(peer, task, CORPUS_ORDER, processes, TRIAL_BATCHES) for processes in (1, cores())
    }
    processes = min(trial, key=lambda processes: trial[processes].seconds)
    sides = {
        "ours": partial(in_fresh_process, ours, task),
        **{order: partial(in_fresh_process, peer, task, order, processes) for order in (CORPUS_ORDER, SORTED)},
    }
    work = (
        f"{task.config.model.name}, {arguments.dtype}, {arguments.count} questions in"
        f" {len(task.questions.result.languages)} languages; the peers in {processes} process(es)"
    )
    peak = machine_peak(arguments.dtype)
    comparisons = against_peers(alternate(sides, arguments.repeats), AT_LEAST, peak)
    return figures("counting", "tokens/s", work, comparisons, peak)


def task_of(arguments: argparse.Namespace, folder: Path, count: int) -> QuestionTask:
    """The counting of so many questions."""
    config = config_of(
        folder,
        {"questions": (arguments.questions, arguments.questions_format)},
        model={"path": arguments.model, "dtype": arguments.dtype},
        activations={"questions": count, "groups": max(1, count // QUESTIONS_OF_GROUP)},
        execution={"counting_actors": arguments.workers},
    )
    return QuestionTask(config, questions_of(config))


def units_of(task: QuestionTask) -> list[Unit]:
    """The plan of the count step."""
    config = task.config
    prompts = prompts_for(config.prompts, config.corpora.questions)
    model, languages = base_model(str(config.model.path)), task.questions.result.languages
    return plan(config.activations, prompts, read_questions(task.questions), model, languages)


def ours(task: QuestionTask) -> Repeat:
    """The count step of a run, timed by the files of its finished units."""
    config, actors = task.config, task.config.execution.counting_actors
    step = count_step(config, task.questions, known(base_model(str(config.model.path))))
    with tempfile.TemporaryDirectory() as folder, RayCluster(config.execution) as cluster:
        place = LocalLocation(folder)
        output, scratch = place / "output", place / "scratch"
        output.mkdir()
        step.run(Attempt(output, output, scratch, cluster, Artifacts(Storage(place))))
        cluster.wait_until_ended()
        saved = sorted((file.stat().st_mtime, int(file.stem)) for file in scratch.rglob("*.npy"))
    units = units_of(task)
    assert [number for _, number in sorted(saved, key=lambda each: each[1])] == list(range(len(units)))
    (began, first), (ended, _) = saved[0], saved[-1]
    whole = _repeat(task, _texts(task, units), ended - began)
    counted = whole.tokens - actors * sum(units[first].lengths)
    share = counted / whole.tokens
    return whole.model_copy(update={"amount": counted, "tokens": counted, "flops": whole.flops * share})


def peer(task: QuestionTask, order: str, processes: int, batches: int | None = None) -> Repeat:
    """The last hidden states of the same texts, or of the first so many batches of them."""
    texts = _texts(task, units_of(task))
    if order == SORTED:
        texts.sort(key=len, reverse=True)
    parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)][:batches]
    context = multiprocessing.get_context("spawn")
    next_part, ready, ends = context.Value("i", 0), context.Barrier(processes), context.Queue()
    arguments = str(task.config.model.path), task.config.model.dtype, parts, next_part, ready, ends
    workers = [context.Process(target=_forward, args=(cores() // processes, *arguments)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    spans = [ends.get() for _ in workers]
    for worker in workers:
        worker.join()
    seconds = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return _repeat(task, [text for part in parts for text in part], seconds)


def _forward(
    threads: int,
    folder: str,
    dtype: str,
    parts: Sequence[Sequence[tuple[int, ...]]],
    next_part: "Synchronized[int]",
    ready: Any,
    ends: Any,
) -> None:
    """Take parts until none is left; say when the first began and the last ended."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), attn_implementation="sdpa")
    model = loaded.eval().base_model

    def states(part: Sequence[tuple[int, ...]]) -> None:
        longest = max(map(len, part))
        tokens = torch.tensor([[*text, *[0] * (longest - len(text))] for text in part])
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in part])
        model(input_ids=tokens, attention_mask=mask, use_cache=False)

    with torch.inference_mode():
        states(parts[0])  # warms up
        ready.wait()
        began = time.monotonic()
        while True:
            with next_part.get_lock():
                number = next_part.value
                next_part.value += 1
            if number >= len(parts):
                break
            states(parts[number])
    ends.put((began, time.monotonic()))


def _texts(task: QuestionTask, units: Sequence[Unit]) -> list[tuple[int, ...]]:
    """All texts of the plan in the order of the corpus."""
    tokens = {
        (question.language, question.id): question.tokens
        for unit in units
        for batch in unit.passes
        for question in batch
    }
    corpus = [(question.language, question.id) for question in read_questions(task.questions)]
    return [tokens[key] for key in corpus if key in tokens]


def _repeat(task: QuestionTask, texts: Sequence[Sequence[int]], seconds: float) -> Repeat:
    from transformers import AutoConfig

    lengths = [len(text) for text in texts]
    flops = forward_flops(AutoConfig.from_pretrained(str(task.config.model.path)), lengths)
    return Repeat(seconds=seconds, amount=sum(lengths), tokens=sum(lengths), flops=flops, texts=digest(texts))


if __name__ == "__main__":
    main()

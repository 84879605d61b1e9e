"""A pool of engines: it deals out requests, streams completions back, and asks again what a dead engine worked on.

Every request is answered exactly once: an engine's requests are kept until their completions have arrived.
"""

import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from slam_ray.config import InputError
from slam_ray.evaluation.engine import Completion, Engine, EngineKind, Request, environment
from slam_ray.models.reference import ModelRef
from slam_ray.store.workers import Workers

# For each engine, so many may be lost in one `generate` before it gives up: a lost node takes all of its engines.
MAX_LOSSES = 5
# A cluster may have to add a node before Ray can start an engine's actor.
ACTOR_TIMEOUT_S = 600.0
# Loading includes fetching what was trained to the node, and showing the weights.
LOAD_TIMEOUT_S = 3600.0
# One step of the engine takes seconds at most; `advance` then returns.
ADVANCE_TIMEOUT_S = 600.0


@dataclass
class _Slot:
    """One engine of the pool.

    Attributes:
        doing: its present call: "start", "load" or "generate".
        call: what that call will return, before `deadline`; None between two calls.
        process: its process id, 0 before Ray has started it.
        model: fingerprint of the model whose weights it has.
        sequences: how many it works on at a time, 0 before it has loaded a model.
        requests: those that it works on, by key.
    """

    actor: Any
    doing: Literal["start", "load", "generate"]
    call: "ray.ObjectRef[Any] | None"
    deadline: float
    process: int = 0
    model: str | None = None
    sequences: int = 0
    requests: dict[int, Request] = field(default_factory=dict)


class EnginePool:
    """Engines that stay up over several calls of `generate`; leaving the context ends them.

    Args:
        workers: the number of engines, and the resources of each.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._slots: list[_Slot] = []
        self._kind: tuple[EngineKind, ModelRef] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def processes(self) -> list[int]:
        """Process ids of the engines that Ray has started, each on its node."""
        return [slot.process for slot in self._slots if slot.process]

    def generate(self, model: ModelRef, kind: EngineKind, requests: Sequence[Request]) -> Generator[list[Completion]]:
        """Yield the completions of all requests, in the order in which they are finished.

        Engines end with a call that fails or is not read to its end: they may hold any weights, and old requests.

        Raises:
            InputError: an engine cannot use the model, or has no memory for such long texts.
            RuntimeError: no engine could be started, or too many died.
            ray.exceptions.RayTaskError: an engine cannot be started or failed; the cause is in its message.
        """
        self._start(model, kind)
        try:
            yield from self._completions(model, kind, deque(balanced(requests, len(self._slots))))
        except BaseException:
            self._end()
            raise

    def _completions(self, model: ModelRef, kind: EngineKind, waiting: deque[Request]) -> Iterator[list[Completion]]:
        losses, most = 0, MAX_LOSSES * len(self._slots)
        self._begin_calls(model, kind, waiting)
        while waiting or any(slot.requests for slot in self._slots):
            calls = {slot.call: slot for slot in self._slots if slot.call is not None}
            ray.wait(list(calls), timeout=1.0)
            done, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
            completions: list[Completion] = []
            for slot in [calls[call] for call in done] or self._overdue():
                try:
                    completions += self._finish_call(slot)
                except (RayActorError, OutOfMemoryError, TimeoutError) as error:
                    losses += 1
                    if losses > most:
                        raise RuntimeError(f"{losses} engines were lost while generating; the last: {error}") from error
                    print(f"  {_loss(slot)}: {_reason(error)} (loss {losses} of at most {most})", flush=True)
                    self._replace(slot, waiting)
            # Engines work on while the caller decodes and writes what they have finished.
            self._begin_calls(model, kind, waiting)
            if completions:
                yield completions

    def _start(self, model: ModelRef, kind: EngineKind) -> None:
        """Have engines of this kind on the base of `model`: the running ones, or new ones."""
        wanted = (kind, model.untuned)
        if wanted != self._kind:
            self._end()
            self._slots = [self._new_slot() for _ in range(self._workers.count)]
            self._kind = wanted

    def _end(self) -> None:
        for slot in self._slots:
            ray.kill(slot.actor)
        self._slots, self._kind = [], None

    def _new_slot(self) -> _Slot:
        workers = self._workers
        remote: Any = ray.remote(Engine)
        actor = remote.options(
            num_cpus=workers.cpus, num_gpus=workers.gpus, runtime_env={"env_vars": environment(workers.cpus)}
        ).remote()
        return _Slot(actor, "start", actor.ready.remote(), time.monotonic() + ACTOR_TIMEOUT_S)

    def _begin_calls(self, model: ModelRef, kind: EngineKind, waiting: deque[Request]) -> None:
        for slot in self._slots:
            if slot.call is None:
                self._begin_call(slot, model, kind, waiting)

    def _begin_call(self, slot: _Slot, model: ModelRef, kind: EngineKind, waiting: deque[Request]) -> None:
        """Begin an engine's next call: to load the weights of `model`, or to work on requests."""
        now = time.monotonic()
        if slot.model != model.fingerprint:
            slot.doing, slot.deadline = "load", now + LOAD_TIMEOUT_S
            slot.model = model.fingerprint
            slot.call = slot.actor.load.remote(model, kind, self._workers.gpus > 0)
            return
        new = [waiting.popleft() for _ in range(self._most_new(slot, len(waiting)))]
        slot.requests.update((request.key, request) for request in new)
        if slot.requests:
            slot.doing, slot.deadline = "generate", now + ADVANCE_TIMEOUT_S
            refill = min(slot.sequences, len(slot.requests) // 2) if waiting else 0
            slot.call = slot.actor.advance.remote(new, refill)

    def _most_new(self, slot: _Slot, waiting: int) -> int:
        """Number of requests to add: an engine has at most twice what it works on at a time, and its fair share."""
        unfinished = waiting + sum(len(other.requests) for other in self._slots)
        share = min(2 * slot.sequences, math.ceil(unfinished / len(self._slots)))
        return min(waiting, max(0, share - len(slot.requests)))

    def _finish_call(self, slot: _Slot) -> list[Completion]:
        """The completions of a slot's call, which is done or overdue.

        Raises:
            TimeoutError: it is overdue.
            InputError: the engine raised it.
        """
        assert slot.call is not None
        done, _ = ray.wait([slot.call], timeout=0)
        if not done:
            raise TimeoutError(f"an engine did not {slot.doing} in time")
        try:
            outcome = ray.get(slot.call)
        except RayTaskError as error:
            # Ray's message would show the engine's stack before what the user can mend.
            if isinstance(error.cause, InputError):
                raise error.cause from None
            raise
        slot.call = None
        completions: list[Completion] = []
        if slot.doing == "start":
            slot.process = outcome
        elif slot.doing == "load":
            slot.sequences = outcome
        elif slot.doing == "generate":
            completions = outcome
            for completion in completions:
                del slot.requests[completion.key]
        return completions

    def _overdue(self) -> list[_Slot]:
        """Slots whose call takes too long; while another engine runs, one that is not started is waited for.

        Raises:
            RuntimeError: no engine was started in time.
        """
        late = [slot for slot in self._slots if slot.call is not None and time.monotonic() > slot.deadline]
        starting = [slot for slot in late if slot.doing == "start"]
        if len(starting) == len(self._slots):
            free = {name: ray.available_resources().get(name, 0.0) for name in ("CPU", "GPU")}
            raise RuntimeError(
                f"no engine found a place in {ACTOR_TIMEOUT_S:.0f} s: each wants {self._workers.each} on one node;"
                f" free in the whole cluster are {free['CPU']:g} CPU and {free['GPU']:g} GPU (see `ray status`)"
            )
        return [slot for slot in late if slot.doing != "start"]

    def _replace(self, slot: _Slot, waiting: deque[Request]) -> None:
        """Start a new engine for a lost one, and let its requests be asked again."""
        ray.kill(slot.actor)
        waiting.extendleft(reversed(slot.requests.values()))
        self._slots[self._slots.index(slot)] = self._new_slot()


def balanced(requests: Sequence[Request], engines: int) -> list[Request]:
    """The requests in shares of equal number, one for each engine, whose prompts have about equally many tokens."""
    by_length = sorted(requests, key=lambda request: -len(request.prompt))
    rounds = [by_length[first : first + engines] for first in range(0, len(by_length), engines)]
    # Who chooses first in one round chooses last in the next.
    turns = [taken if number % 2 == 0 else taken[::-1] for number, taken in enumerate(rounds)]
    return [taken[engine] for engine in range(engines) for taken in turns if engine < len(taken)]


def _loss(slot: _Slot) -> str:
    if not slot.process:
        # Ray may start an actor on a node whose end it has not noticed yet.
        return "engine lost before it had started, another is started"
    return f"engine in process {slot.process} lost, its {len(slot.requests)} rows are asked again"


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

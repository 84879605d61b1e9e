"""A pool of engines: requests dealt out, completions streamed back, and what a dead engine held asked again.

Each request is answered exactly once whatever happens: it leaves the books only with its completion in hand.
"""

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from slam_ray.config import InputError
from slam_ray.evaluation.engine import MAX_SEQUENCES, Completion, Engine, EngineKind, Request, environment
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.resources import Workers

# For each engine, how many may be lost in one `generate` before it gives up: a node takes all of its engines along.
MAX_LOSSES = 5
# A cluster may have to add a node before an engine finds its place.
PLACE_TIMEOUT_S = 600.0
# Starting includes putting the checkpoint on the node and reading it.
LOAD_TIMEOUT_S = 3600.0
# One step of the engine is seconds at most; `advance` then comes back.
ADVANCE_TIMEOUT_S = 600.0


@dataclass
class _Slot:
    """One engine: what it does now (`call`, until `deadline`), its process id, its weights, and what it works on."""

    actor: Any
    doing: str
    call: "ray.ObjectRef[Any] | None"
    deadline: float
    process: int = 0
    model: str | None = None
    held: dict[int, Request] = field(default_factory=dict)


class EnginePool:
    """Engines that stay up over several calls of `generate`; a context manager that ends them.

    Args:
        workers: how many engines, and the resources of each.
        cache: folder on each node for assembled models.
    """

    def __init__(self, workers: Workers, cache: Path) -> None:
        self._workers, self._cache = workers, cache
        self._slots: list[_Slot] = []
        self._kind: tuple[EngineKind, dict[str, Any]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def processes(self) -> list[int]:
        """Process ids of the engines that have a place, each on its node."""
        return [slot.process for slot in self._slots if slot.process]

    def generate(self, model: ModelRef, kind: EngineKind, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """Yield the completions of all requests, in the order in which they are finished.

        Raises:
            InputError: an engine cannot use the model, or has no memory for such long texts.
            RuntimeError: engines find no place, or died too often.
            ray.exceptions.RayTaskError: an engine cannot be started or failed; the cause is in its message.
        """
        self._start(model, kind)
        assert not any(slot.held for slot in self._slots), "an earlier call was not read to its end"
        waiting = deque(requests)
        losses, most = 0, MAX_LOSSES * len(self._slots)
        while waiting or any(slot.held for slot in self._slots):
            for slot in self._slots:
                if slot.call is None:
                    self._give(slot, model, kind, waiting)
            calls = {slot.call: slot for slot in self._slots if slot.call is not None}
            done, _ = ray.wait(list(calls), timeout=1.0)
            for slot in [calls[call] for call in done] or self._overdue():
                try:
                    completions = self._take(slot)
                except (RayActorError, OutOfMemoryError, TimeoutError) as error:
                    losses += 1
                    if losses > most:
                        raise RuntimeError(f"{losses} engines were lost while generating; the last: {error}") from error
                    print(f"  {_loss(slot)}: {_reason(error)} (loss {losses} of at most {most})", flush=True)
                    self._replace(slot, waiting)
                    continue
                if completions:
                    yield completions

    def _start(self, model: ModelRef, kind: EngineKind) -> None:
        """Have engines of this kind that can take the weights of `model`: those that run, or new ones."""
        wanted = (kind, model.config)
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
        return _Slot(actor, "place", actor.ready.remote(), time.monotonic() + PLACE_TIMEOUT_S)

    def _give(self, slot: _Slot, model: ModelRef, kind: EngineKind, waiting: deque[Request]) -> None:
        """Give an engine its next call: the right weights first, then requests while there are any."""
        now = time.monotonic()
        if slot.model != model.fingerprint:
            slot.doing, slot.deadline = "load", now + LOAD_TIMEOUT_S
            slot.model = model.fingerprint
            slot.call = slot.actor.load.remote(model, kind, self._workers.gpus > 0, self._cache)
            return
        new = [waiting.popleft() for _ in range(self._room(slot, len(waiting)))]
        slot.held.update((request.key, request) for request in new)
        if slot.held:
            slot.doing, slot.deadline = "generate", now + ADVANCE_TIMEOUT_S
            refill = min(MAX_SEQUENCES, len(slot.held) // 2) if waiting else 0
            slot.call = slot.actor.advance.remote(new, refill)

    def _room(self, slot: _Slot, waiting: int) -> int:
        """How many requests to add: up to twice what an engine works on at a time, and no more than its fair share."""
        left = waiting + sum(len(other.held) for other in self._slots)
        share = min(2 * MAX_SEQUENCES, math.ceil(left / len(self._slots)))
        return min(waiting, max(0, share - len(slot.held)))

    def _take(self, slot: _Slot) -> list[Completion]:
        """The outcome of a slot's call, which is done or overdue.

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
            # Ray's own message is the engine's stack, before what its user can mend.
            if isinstance(error.cause, InputError):
                raise error.cause from None
            raise
        slot.call = None
        completions: list[Completion] = []
        if slot.doing == "place":
            slot.process = outcome
        elif slot.doing == "generate":
            completions = outcome
            for completion in completions:
                del slot.held[completion.key]
        return completions

    def _overdue(self) -> list[_Slot]:
        """Slots whose call takes too long. One without a place is only waited for, while another one works.

        Raises:
            RuntimeError: no engine has a place.
        """
        late = [slot for slot in self._slots if slot.call is not None and time.monotonic() > slot.deadline]
        placeless = [slot for slot in late if slot.doing == "place"]
        if len(placeless) == len(self._slots):
            workers = self._workers
            wanted = f"{workers.cpus} CPU" + (f" and {workers.gpus} GPU" if workers.gpus else "")
            free = {name: ray.available_resources().get(name, 0.0) for name in ("CPU", "GPU")}
            raise RuntimeError(
                f"no engine found a place in {PLACE_TIMEOUT_S:.0f} s: each wants {wanted} on one node;"
                f" free in the whole cluster are {free['CPU']:g} CPU and {free['GPU']:g} GPU (see `ray status`)"
            )
        return [slot for slot in late if slot.doing != "place"]

    def _replace(self, slot: _Slot, waiting: deque[Request]) -> None:
        """Put a new engine in the place of a lost one and ask again what that one held."""
        ray.kill(slot.actor)
        waiting.extendleft(reversed(slot.held.values()))
        self._slots[self._slots.index(slot)] = self._new_slot()


def _loss(slot: _Slot) -> str:
    if not slot.process:
        # Ray may still give it a place on a node whose end it has not noticed yet.
        return "engine lost before it had started, another is started"
    return f"engine in process {slot.process} lost, its {len(slot.held)} rows are asked again"


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

"""A step is a function plus what decides its result; a recipe makes steps by calls that take the steps they read.

Nothing runs in such a call. The fingerprint of a step holds its name, version, config and the fingerprints of its
inputs. Paths, numbers of workers and devices stay out of it: they reach the function through its closure and its
`Attempt`. So do its label, and the checks that it waits for.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar, overload, runtime_checkable

from pydantic import BaseModel

from slam_ray.store.artifact import Artifact, Identity, NotMade, R
from slam_ray.store.location import Location
from slam_ray.store.storage import Storage
from slam_ray.store.workers import Cluster

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class HasFingerprint(Protocol):
    """An input of a step: an artifact, a model, the content of a file."""

    @property
    def fingerprint(self) -> str: ...


@runtime_checkable
class OnNodes(Protocol):
    """An input that workers read from files of the node that they are on, outside the storage."""

    @property
    def on_nodes(self) -> Sequence[Location]: ...


@dataclass(frozen=True)
class Attempt:
    """One try at a step.

    Attributes:
        directory: empty folder on this machine for the artifact's files.
        output: the artifact's place, where workers on any node put its files (in `output.staging_folder()`).
        scratch: shared by all attempts at this step, for what a later attempt can go on from (checkpoints, finished
            rows); removed once the step is committed.
        cluster: the workers of the run.
        artifacts: those that the step reads, by their steps; `attempt[step]` is short for one of them.
    """

    directory: Path
    output: Location
    scratch: Location
    cluster: Cluster
    artifacts: "Artifacts"

    @overload
    def __getitem__(self, item: "Input[R]") -> Artifact[R]: ...
    @overload
    def __getitem__(self, item: "Derived[T]") -> T: ...
    def __getitem__(self, item: Any) -> Any:
        return self.artifacts[item]


@dataclass(frozen=True, eq=False)
class Derived(Generic[T_co]):
    """A value that follows from results of steps: a model that is fetched first, a config that holds selected layers.

    Attributes:
        reads: the steps, or other such values, that it follows from.
        value: computes it.
        after: what must hold before any step that reads this value is made, though it decides no result: steps that
            only check something, and values that are lines for people to read.
    """

    reads: Sequence["Input[Any] | Derived[Any]"]
    value: Callable[["Artifacts"], T_co]
    after: Sequence["Step[Any] | Check"] = ()


# Raises InputError, or NotMade where it cannot tell yet.
Check: TypeAlias = Derived[Sequence[str]]


def known(value: T) -> Derived[T]:
    """A value that follows from nothing."""
    return Derived((), lambda artifacts: value)


_calls = itertools.count()


@dataclass(frozen=True, eq=False)
class Step(Generic[R]):
    """A unit of work whose result is kept.

    Attributes:
        name: names the kind of artifact, e.g. "count".
        version: raise it when the same config and inputs give another result.
        config: what decides the result, besides the inputs.
        inputs: what it reads, by name.
        result: type of the small result kept in the record; files go into the attempt's directory.
        run: does the work.
        workers: kind of workers it holds while it runs, or None for a step in the driver alone. Consecutive steps
            of one kind may share them (see `Cluster.keep`).
        fetches: it asks a network for what is kept nowhere yet.
        notes: lines that people are told whenever the step is looked at, e.g. of files that are left out.
        label: names it for people in the plan, its progress and a run's links.
        call: its place in the order of the calls that made steps, in which they are run.
    """

    name: str
    version: int
    config: BaseModel | Derived[BaseModel]
    inputs: Mapping[str, "Input[Any] | HasFingerprint | Derived[HasFingerprint]"]
    result: type[R]
    run: Callable[[Attempt], R]
    workers: str | None = None
    fetches: bool = False
    notes: Check | None = None
    label: str = ""
    call: int = field(default_factory=_calls.__next__)

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", self.name)

    def labelled(self, label: str) -> Self:
        """The same step under a name of its own."""
        return replace(self, label=label)

    @property
    def checks(self) -> list["Step[Any] | Check"]:
        """What must hold before it is made: what its values are to come after."""
        return [check for value in _values([self.config, *self.inputs.values()]) for check in value.after]


# What a step reads: one of its own recipe, or what was made before, elsewhere.
Input: TypeAlias = Step[R] | Artifact[R]


def steps_to(*last: Input[Any] | Derived[Any]) -> list[Step[Any]]:
    """All steps that these rest on or wait for, and they themselves, in the order of the calls that made them."""
    found: dict[Step[Any], None] = {}
    waiting: list[Any] = list(last)
    while waiting:
        item = waiting.pop()
        if isinstance(item, Derived):
            waiting += [*item.reads, *item.after]
        elif isinstance(item, Step) and item not in found:
            found[item] = None
            waiting += [item.config, *item.inputs.values(), item.notes]
    return sorted(found, key=lambda step: step.call)


def _values(items: Sequence[object]) -> Iterator[Derived[Any]]:
    for item in items:
        if isinstance(item, Derived):
            yield item
            yield from _values(item.reads)


class Artifacts:
    """What is known of steps so far: those that were looked for in `storage`, or made."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._artifacts: dict[Step[Any], Artifact[Any]] = {}
        self._values: dict[Derived[Any], Any] = {}

    @overload
    def __getitem__(self, item: Input[R]) -> Artifact[R]: ...
    @overload
    def __getitem__(self, item: Derived[T]) -> T: ...
    def __getitem__(self, item: Any) -> Any:
        """The artifact of a step, without a directory while it is not made; or a value that follows from some.

        Raises:
            NotMade: nothing is known of the step, or the value follows from a result that is not there.
        """
        if isinstance(item, Step):
            if item not in self._artifacts:
                raise NotMade(item.label)
            return self._artifacts[item]
        if isinstance(item, Derived):
            if item not in self._values:
                self._values[item] = item.value(self)
            return self._values[item]
        return item

    def identity(self, step: Step[Any]) -> Identity:
        """What decides the step's result; raises `NotMade` where that follows from a result that is not there."""
        # Inputs come first: a file that is missing is an error before any result is waited for.
        inputs = {name: item.fingerprint for name, item in sorted(self.inputs(step).items())}
        config = self[step.config] if isinstance(step.config, Derived) else step.config
        return Identity(step.name, step.version, config.model_dump(mode="json"), inputs)

    def inputs(self, step: Step[Any]) -> dict[str, HasFingerprint]:
        """What the step reads, by name; raises `NotMade` as `identity` does."""
        given: dict[str, Any] = dict(step.inputs)
        return {name: self[item] for name, item in given.items()}

    def find(self, step: Step[R], thorough: bool = False) -> Artifact[R]:
        """Look for the step's artifact, which from now on is known; without a directory if it is not made."""
        self._artifacts[step] = found = self.storage.find(self.identity(step), step.result, thorough)
        return found

    def make(self, step: Step[R], cluster: Cluster, storage: Storage | None = None) -> Artifact[R]:
        """Find the step's artifact, or else make it, there or in another `storage`."""
        found = self.find(step, thorough=True)
        if found.directory is None:

            def work(directory: Path, output: Location, scratch: Location) -> R:
                return step.run(Attempt(directory, output, scratch, cluster, self))

            found = (storage or self.storage).make(self.identity(step), step.result, work, cluster.release)
            self._artifacts[step] = found
            # What follows from the step was computed for an artifact that was not made.
            self._values = {key: value for key, value in self._values.items() if step not in steps_to(key)}
        return found

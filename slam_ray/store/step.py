"""A step is a function plus what decides its result; a recipe makes steps by calls that take the steps they read.

Nothing runs in such a call. The fingerprint of a step holds its name, version, config and the fingerprints of its
inputs. Paths, numbers of workers and devices stay out of it: they reach the function through its closure and its
`Attempt`. So do its label, and the checks that it waits for.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar, overload, runtime_checkable

from pydantic import BaseModel

from slam_ray.config import InputError
from slam_ray.store.location import Location
from slam_ray.store.workers import Cluster

if TYPE_CHECKING:
    from slam_ray.store.artifacts import Artifacts

R = TypeVar("R", bound=BaseModel)
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


class NotMade(Exception):
    """A step is not made yet whose result is needed, as planning may find; it says the step's fingerprint or label."""


@dataclass(frozen=True)
class Artifact(Generic[R]):
    """What a step made (or, without a directory, will make): files and a small typed result.

    Attributes:
        step: name of the step.
        fingerprint: identity of the step that makes it.
        directory: of the committed attempt; never changed afterwards.
        files: SHA-256 of every file in it, by name.
    """

    step: str
    fingerprint: str
    directory: Location | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    _result: R | None = None

    @property
    def result(self) -> R:
        """The step's result; raises `NotMade` while it is not made."""
        if self._result is None:
            raise NotMade(self.fingerprint)
        return self._result

    def file(self, name: str) -> Path:
        """One file of the artifact on this machine; from a bucket it is fetched there, once.

        Raises:
            NotMade: the artifact is not made yet.
            InputError: it has no such file.
        """
        if self.directory is None:
            raise NotMade(self.fingerprint)
        # A name may be from a result, which whoever writes into the storage may have written.
        if name not in self.files:
            raise InputError(f"{self.directory} has no file {name!r}; remove this artifact")
        return (self.directory / name).local_file(self.files[name])


@dataclass(frozen=True)
class Identity:
    """What decides a step's result, as JSON values."""

    step: str
    version: int
    config: dict[str, Any]
    inputs: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """20 hexadecimal digits of its SHA-256."""
        return fingerprint(asdict(self))


def fingerprint(identity: Mapping[str, Any]) -> str:
    """Hash plain JSON values; anything else (a path, a callable, NaN) raises TypeError or ValueError."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The dotted keys in which two mappings of JSON values differ, each with both values."""
    old, new = _flat(before), _flat(now)
    return [f"{key}: {old.get(key)} -> {new.get(key)}" for key in sorted(old | new) if old.get(key) != new.get(key)]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {
        key: item for name, inner in value.items() for key, item in _flat(inner, f"{prefix}.{name}".strip(".")).items()
    }


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

"""A step is a function plus what decides its result; an artifact is what it made, under that identity.

The fingerprint of a step holds its name, version, config and the fingerprints of its inputs. Paths, numbers of
workers and devices stay out of it: they reach the function through its closure and its `Attempt`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from slam_ray.config import InputError
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.location import Location

R = TypeVar("R", bound=BaseModel)


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
    """The result of a step was asked for that is not made yet; only planning meets it.

    Attributes:
        what: the step's fingerprint, or the title of its stage.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


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
        return (self.directory / name).fetched(self.files[name])


@dataclass(frozen=True)
class Attempt:
    """One try at a step.

    Attributes:
        directory: empty folder on this machine for the artifact's files.
        output: the artifact's place, where workers on any node put its files (`with output.working() as folder`).
        scratch: shared by all attempts at this step, for what a later attempt can go on from (checkpoints, finished
            rows); removed once the step is committed.
        context: Ray and the workers of the run.
    """

    directory: Path
    output: Location
    scratch: Location
    context: Context


@dataclass(frozen=True)
class Step(Generic[R]):
    """A unit of work whose result is kept.

    Attributes:
        name: names the kind of artifact, e.g. "count".
        version: raise it when the same config and inputs give another result.
        config: what decides the result, besides the inputs.
        inputs: what it reads, by name.
        result: type of the small result kept in the record; files go into the attempt's directory.
        run: does the work.
        notes: lines that its user is told whenever it is looked at, e.g. of files that are left out.
        workers: kind of workers it holds while it runs, or None for a step in the driver alone. Consecutive steps
            of one kind may share them (see `Context.hold`).
    """

    name: str
    version: int
    config: BaseModel
    inputs: Mapping[str, HasFingerprint]
    result: type[R]
    run: Callable[[Attempt], R]
    workers: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def identity(self) -> dict[str, Any]:
        """JSON values that decide the result."""
        return {
            "step": self.name,
            "version": self.version,
            "config": self.config.model_dump(mode="json"),
            "inputs": {name: item.fingerprint for name, item in sorted(self.inputs.items())},
        }

    @property
    def fingerprint(self) -> str:
        """20 hexadecimal digits of the SHA-256 of the identity."""
        return fingerprint(self.identity)


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

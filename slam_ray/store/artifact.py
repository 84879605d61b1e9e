"""An artifact is what a step made, under the identity that decides its result."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from slam_ray.config import InputError
from slam_ray.store.location import Location

R = TypeVar("R", bound=BaseModel)


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

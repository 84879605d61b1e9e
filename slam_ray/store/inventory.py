"""What a storage holds: its artifacts, the runs that name them, and what may be removed because no run does."""

import time
from dataclasses import dataclass
from typing import Any

from slam_ray.config import InputError
from slam_ray.store.location import Location
from slam_ray.store.runs import LINKS, read_links
from slam_ray.store.storage import ASIDE, RECORD, Record, read_record

DAY_S = 86400


@dataclass(frozen=True)
class StoredArtifact:
    """The folder of one artifact.

    Attributes:
        folder: its place.
        record: what was recorded when it was finished; None while it is not, and where it was kept aside as damaged.
        runs: names of the runs that link it.
        size: of all its files, in bytes.
        last_written: when a file in it was, in seconds since 1970.
    """

    folder: Location
    record: Record | None
    runs: tuple[str, ...]
    size: int
    last_written: float

    @property
    def name(self) -> str:
        """Step and fingerprint."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def state(self) -> str:
        """When it was made, or that it is unfinished or damaged."""
        if ASIDE in self.folder.name:
            return "damaged"
        return str(self.record["started"]) if self.record else "unfinished"


def inventory(root: Location) -> list[StoredArtifact]:
    """All artifacts under `<root>/artifacts`, by step and time.

    Raises:
        InputError: there is no such folder, or the links of a run cannot be read.
    """
    if "artifacts" not in root.folders():
        raise InputError(f"{root} holds no folder artifacts: give the storage of a run with --storage")
    runs: dict[str, list[str]] = {}
    for run in (root / "runs").folders():
        links = root / "runs" / run / LINKS
        for name in set(read_links(links).values()) if links.exists() else ():
            runs.setdefault(name, []).append(run)
    steps = root / "artifacts"
    folders = [steps / step / name for step in steps.folders() for name in (steps / step).folders()]
    artifacts = [_read(folder, runs) for folder in folders]
    return sorted(artifacts, key=lambda artifact: (artifact.folder.parent.name, artifact.state, artifact.name))


def _read(folder: Location, runs: dict[str, list[str]]) -> StoredArtifact:
    files = folder.files().values()
    record = None if ASIDE in folder.name else read_record(folder)
    size, last_written = sum(file.size for file in files), max((file.modified for file in files), default=0.0)
    names = tuple(runs.get(f"{folder.parent.name}/{folder.name}", ()))
    return StoredArtifact(folder, record, names, size, last_written)


def find(artifacts: list[StoredArtifact], fingerprint: str) -> StoredArtifact:
    """The artifact with this fingerprint, or the only one whose fingerprint begins so.

    Raises:
        InputError: there is none, or more than one.
    """
    wanted = fingerprint.rpartition("/")[2]
    exact = [each for each in artifacts if each.folder.name == wanted]
    found = exact or [each for each in artifacts if each.folder.name.startswith(wanted)]
    if len(found) != 1:
        raise InputError(f"{len(found) or 'no'} artifacts are named {fingerprint}: give more of one that `list` shows")
    return found[0]


def why(artifact: StoredArtifact, artifacts: list[StoredArtifact]) -> dict[str, Any]:
    """What an artifact was made from, by which command, and what was made from it."""
    names = {each.folder.name: each.name for each in artifacts if each.record}
    inputs = artifact.record["inputs"] if artifact.record else {}
    fingerprint = artifact.folder.name
    return {
        "artifact": artifact.name,
        "state": artifact.state,
        "runs": list(artifact.runs),
        "made from": {key: names.get(input_, input_) for key, input_ in inputs.items()},
        "read by": [each.name for each in artifacts if each.record and fingerprint in each.record["inputs"].values()],
        **{key: artifact.record[key] for key in ("config", "seconds", "command", "versions") if artifact.record},
    }


def collect(artifacts: list[StoredArtifact], days: float) -> list[StoredArtifact]:
    """Those that no run links and that nothing has written to for so many days."""
    return [each for each in artifacts if not each.runs and each.last_written < time.time() - days * DAY_S]


def remove(artifact: StoredArtifact) -> None:
    """Remove its folder; first its record, so that a kill leaves no half of an artifact."""
    (artifact.folder / RECORD).remove()
    artifact.folder.remove()
    (artifact.folder.parent / f"{artifact.folder.name}.lock").remove()

"""What a storage holds: its artifacts, the runs that name them, and what may be removed because no run does."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from slam_ray.config import InputError
from slam_ray.pipeline.location import Location
from slam_ray.pipeline.runs import ARTIFACTS, read_links
from slam_ray.pipeline.storage import ASIDE, RECORD, Record, read_record

DAY_S = 86400


@dataclass(frozen=True)
class Kept:
    """A folder of one artifact.

    Attributes:
        home: the folder.
        record: what was recorded when it was finished; None while it is not, and where it was kept aside as damaged.
        runs: names of the runs that hold it.
        size: of all its files, in bytes.
        touched: when a file in it was last written, in seconds since 1970.
    """

    home: Location
    record: Record | None
    runs: tuple[str, ...]
    size: int
    touched: float

    @property
    def name(self) -> str:
        """Step and fingerprint."""
        return f"{self.home.parent.name}/{self.home.name}"

    @property
    def state(self) -> str:
        """How far it came: when it was made, or that it was not."""
        if ASIDE in self.home.name:
            return "damaged"
        return str(self.record["started"]) if self.record else "unfinished"


def inventory(root: Location) -> list[Kept]:
    """All that lies under `<root>/artifacts`, by step and time.

    Raises:
        InputError: there is no such folder, or what a run holds cannot be read.
    """
    if "artifacts" not in root.folders():
        raise InputError(f"{root} holds no folder artifacts: give the storage of a run with --storage")
    runs: dict[str, list[str]] = {}
    for run in (root / "runs").folders():
        links = root / "runs" / run / ARTIFACTS
        for name in read_links(links).values() if links.exists() else ():
            runs.setdefault(name, []).append(run)
    return sorted(_all_kept(root / "artifacts", runs), key=lambda kept: (kept.home.parent.name, kept.state, kept.name))


def _all_kept(folder: Location, runs: dict[str, list[str]]) -> Iterator[Kept]:
    for home in (folder / step / name for step in folder.folders() for name in (folder / step).folders()):
        files = home.files().values()
        size, touched = sum(file.size for file in files), max((file.modified for file in files), default=0.0)
        names = tuple(dict.fromkeys(runs.get(f"{home.parent.name}/{home.name}", [])))
        record = None if ASIDE in home.name else read_record(home)
        yield Kept(home, record, names, size, touched)


def find(kept: list[Kept], fingerprint: str) -> Kept:
    """The artifact whose fingerprint begins so.

    Raises:
        InputError: there is none, or more than one.
    """
    wanted = fingerprint.rpartition("/")[2]
    exact = [each for each in kept if each.home.name == wanted]
    found = exact or [each for each in kept if each.home.name.startswith(wanted)]
    if len(found) != 1:
        raise InputError(f"{len(found) or 'no'} artifacts are named {fingerprint}: give more of one that `list` shows")
    return found[0]


def why(artifact: Kept, kept: list[Kept]) -> dict[str, Any]:
    """What an artifact was made from, by which command, and what rests on it."""
    names = {each.home.name: each.name for each in kept if each.record}
    made_from = artifact.record["inputs"] if artifact.record else {}
    own = artifact.home.name
    return {
        "artifact": artifact.name,
        "state": artifact.state,
        "runs": list(artifact.runs),
        "made from": {key: names.get(input_, input_) for key, input_ in made_from.items()},
        "read by": [each.name for each in kept if each.record and own in each.record["inputs"].values()],
        **{key: artifact.record[key] for key in ("config", "seconds", "command", "versions") if artifact.record},
    }


def collect(kept: list[Kept], days: float) -> list[Kept]:
    """What no run names and nothing has written to for so many days."""
    return [each for each in kept if not each.runs and each.touched < time.time() - days * DAY_S]


def remove(artifact: Kept) -> None:
    """Remove its folder; first its record, so that a kill leaves no half of an artifact."""
    (artifact.home / RECORD).remove()
    artifact.home.remove()
    (artifact.home.parent / f"{artifact.home.name}.lock").remove()

"""The counts of single units of work: saved until the whole is committed, and summed by group and language."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from slam_ray.activations.counts import Counts
from slam_ray.activations.plan import Unit
from slam_ray.store.location import Location

UnitCounts = npt.NDArray[np.uint32]  # [layers, neurons]


def save_unit(folder: Location, number: int, counts: UnitCounts) -> None:
    """Write the counts of a unit into a file; a writer that is killed leaves no part of it."""
    np.save(stream := io.BytesIO(), counts)
    (folder / f"{number}.npy").write_bytes(stream.getvalue())


def saved_units(folder: Location) -> Iterator[tuple[int, UnitCounts]]:
    """The numbers and counts of the units that an earlier attempt finished."""
    for name in folder.files():
        if name.endswith(".npy"):
            yield int(name.removesuffix(".npy")), np.load(io.BytesIO((folder / name).read_bytes()), allow_pickle=False)


class GroupSums:
    """Sums of the units' counts by group and language; every unit of a plan is added exactly once."""

    def __init__(self, units: Sequence[Unit], languages: Sequence[str]) -> None:
        self._units, self._languages = units, tuple(languages)
        self._missing = set(range(len(units)))
        self._tokens = np.zeros((max(unit.group for unit in units) + 1, len(self._languages)), dtype=np.int64)
        self._activated: npt.NDArray[np.uint32] | None = None  # [groups, languages, layers, neurons]

    @property
    def missing(self) -> list[int]:
        """Numbers of the units that are still to be added."""
        return sorted(self._missing)

    def add(self, number: int, counts: UnitCounts) -> None:
        """Add the counts of a unit."""
        assert number in self._missing, f"unit {number} was counted twice"
        if self._activated is None:
            self._activated = np.zeros((*self._tokens.shape, *counts.shape), dtype=np.uint32)
        unit = self._units[number]
        cell = unit.group, self._languages.index(unit.language)
        self._activated[cell] += counts
        self._tokens[cell] += unit.tokens
        self._missing.remove(number)

    def counts(self) -> Counts:
        """The sums of all units."""
        assert not self._missing, f"units {self.missing} were not counted"
        assert self._activated is not None
        return Counts(self._languages, self._activated, self._tokens)

"""Rows of counts, one a unit of work: kept on disk until the whole is committed, and summed by group and language."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from slam_ray.activations.counts import Counts
from slam_ray.activations.plan import Unit
from slam_ray.pipeline.location import Location

Row = npt.NDArray[np.uint32]


def keep_row(folder: Location, number: int, row: Row) -> None:
    """Keep the counts [layers, neurons] of a unit in a file that is there whole or not at all."""
    np.save(stream := io.BytesIO(), row)
    (folder / f"{number}.npy").write_bytes(stream.getvalue())


def kept_rows(folder: Location) -> Iterator[tuple[int, Row]]:
    """The rows an earlier attempt had kept, each with the number of its unit."""
    for name in folder.files():
        if name.endswith(".npy"):
            yield int(name.removesuffix(".npy")), np.load(io.BytesIO((folder / name).read_bytes()), allow_pickle=False)


class GroupSums:
    """Sums of rows by group and language; takes every unit of a plan exactly once."""

    def __init__(self, units: Sequence[Unit], languages: Sequence[str]) -> None:
        self._units, self._languages = units, tuple(languages)
        self._missing = set(range(len(units)))
        self._tokens = np.zeros((max(unit.group for unit in units) + 1, len(self._languages)), dtype=np.int64)
        self._activated: npt.NDArray[np.uint32] | None = None

    @property
    def missing(self) -> list[int]:
        """Numbers of the units whose row is still to come."""
        return sorted(self._missing)

    def add(self, number: int, row: Row) -> None:
        """Add the counts [layers, neurons] of a unit."""
        assert number in self._missing, f"unit {number} was counted twice"
        if self._activated is None:
            self._activated = np.zeros((*self._tokens.shape, *row.shape), dtype=np.uint32)
        unit = self._units[number]
        cell = unit.group, self._languages.index(unit.language)
        self._activated[cell] += row
        self._tokens[cell] += unit.tokens
        self._missing.remove(number)

    def counts(self) -> Counts:
        """The sums of all units."""
        assert not self._missing, f"units {self.missing} were not counted"
        assert self._activated is not None
        return Counts(self._languages, self._activated, self._tokens)

"""A part of a source: one file with rows, the user's own or one that a fetch from the Hub made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from slam_ray.config import InputError
from slam_ray.corpora.tables import NumberedRow, is_array
from slam_ray.store.hashing import sha256


@dataclass(frozen=True)
class Part:
    """A file, read by one of the functions of tables.py.

    Attributes:
        file: its path.
        parse: its rows.
        label: names the file in messages.
    """

    file: Path
    parse: Callable[[Path], Iterator[NumberedRow]]
    label: str

    @cached_property
    def fingerprint(self) -> str:
        """The same for equal bytes; InputError if they cannot be read."""
        try:
            return sha256(self.file)
        except OSError as error:
            raise InputError(f"{self.label}: cannot be read ({error.strerror})") from None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.file.stat().st_size

    def rows(self) -> Iterator[NumberedRow]:
        """Each row with its number, counted from 1."""
        return self.parse(self.file)

    def where(self, number: int) -> str:
        """Where the row of this number is, for messages."""
        return f"{self.label}:{number}" if self.unit == "line" else f"{self.label}, {self.unit} {number}"

    @cached_property
    def unit(self) -> str:
        """What a row is in its file."""
        return "element" if is_array(self.file, self.parse) else "line"

"""Progress of long work: one rewritten line in a terminal, a plain line now and then in a log."""

import sys
import time


class Progress:
    """Counts work done and prints it with its rate and the time left.

    Args:
        title: what is being done.
        total: units of work in all.
        unit: plural name of a unit, e.g. "questions".
        done: units that an earlier attempt had finished.
    """

    def __init__(self, title: str, total: int, unit: str, done: int = 0) -> None:
        self.title, self.total, self.unit, self.done = title, total, unit, done
        self._terminal = sys.stdout.isatty()
        self._interval = 0.2 if self._terminal else 5.0
        self._next = time.monotonic() + self._interval
        # The pace counts from the first finished unit on: before it, workers start.
        self._first: tuple[float, int] | None = None

    def advance(self, units: int = 1, note: str = "") -> None:
        """Add finished units; `note` is a short remark such as the current loss."""
        self.done += units
        now = time.monotonic()
        if self._first is None:
            self._first = now, self.done
        if now < self._next and self.done < self.total:
            return
        self._next = now + self._interval
        text = f"  {self.title}: {self.done}/{self.total} {self.unit}{self._pace(now)}"
        text += f", {note}" if note else ""
        if self._terminal:
            end = "\n" if self.done >= self.total else ""
            print(f"\r\x1b[K{text}", end=end, flush=True)
        else:
            print(text, flush=True)

    def _pace(self, now: float) -> str:
        assert self._first is not None
        started, before = self._first
        if self.done == before or now == started:
            return ""
        rate = (self.done - before) / (now - started)
        return f", {rate:.1f}/s, {(self.total - self.done) / rate:.0f} s left"

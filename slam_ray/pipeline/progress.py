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
        self.title, self.total, self.unit = title, total, unit
        self.done = self._done_before = done
        self._start = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._interval = 0.2 if self._terminal else 5.0
        self._next = self._start + self._interval

    def advance(self, units: int = 1, note: str = "") -> None:
        """Add finished units; `note` is a short remark such as the current loss."""
        self.done += units
        now = time.monotonic()
        if now < self._next and self.done < self.total:
            return
        self._next = now + self._interval
        rate = (self.done - self._done_before) / max(now - self._start, 1e-9)
        left = (self.total - self.done) / rate if rate > 0 else float("inf")
        text = f"  {self.title}: {self.done}/{self.total} {self.unit}, {rate:.1f}/s, {left:.0f} s left"
        text += f", {note}" if note else ""
        if self._terminal:
            end = "\n" if self.done >= self.total else ""
            print(f"\r\x1b[K{text}", end=end, flush=True)
        else:
            print(text, flush=True)

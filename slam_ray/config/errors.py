"""How a job ends other than well: what its user can mend is one message and exit code 2, what stops it one line."""

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

# Exit codes of a job; the last one of its --dry-run alone.
ALL_DONE, BAD_INPUT, TO_DO = 0, 2, 3
LONGEST = 1900  # characters of a message, for a table of what to try instead; what it quotes may be a whole file


class InputError(ValueError):
    """Bad input: a file, line, key or language that is wrong, and what would be right."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the most similar known one, or all of them."""
    known = sorted(known)
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"


def job(main: Callable[[Sequence[str]], int]) -> Callable[[Sequence[str]], int]:
    """Make a job's `main(argv) -> exit code` print an `InputError` as one message, and let it be stopped."""

    @functools.wraps(main)
    def guarded(argv: Sequence[str]) -> int:
        with _stopped_by(signal.SIGINT, signal.SIGTERM) as numbers:
            try:
                return main(argv)
            except InputError as error:
                print(f"error: {_readable(str(error))}", file=sys.stderr, flush=True)
                return BAD_INPUT
            except KeyboardInterrupt:
                return 128 + numbers[0]  # as a shell says it

    return guarded


@contextmanager
def _stopped_by(*numbers: signal.Signals) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt at the first of these signals, whose number is then in what this yields.

    `ray job stop` sends SIGTERM and waits for some seconds only, so it is said before everything is let go.
    """
    seen: list[int] = []

    def stop(number: int, frame: Any) -> None:
        seen.append(number)
        if len(seen) == 1:
            os.write(sys.stderr.fileno(), b"\nstopped; the same command goes on from here\n")
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _readable(message: str) -> str:
    """A message cut in its middle if it is long, without characters that would steer the terminal."""
    readable = "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in message
    )
    if len(readable) > LONGEST:
        return f"{readable[: LONGEST // 2]} [...] {readable[-LONGEST // 2 :]}"
    return readable

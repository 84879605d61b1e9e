"""The one exception for what a user can mend: a job prints its message alone and exits with code 2."""

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

# Exit codes of a job; the last one of its --dry-run alone.
ALL_DONE, BAD_INPUT, TO_DO = 0, 2, 3
LONGEST = 1500  # characters of a message; what it quotes may be a whole file


class InputError(ValueError):
    """Bad input: a file, line, key or language that is wrong, and what would be right."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the most similar known one, or all of them."""
    known = sorted(known)
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"


def job(main: Callable[[Sequence[str]], int]) -> Callable[[Sequence[str]], int]:
    """Make a job's `main(argv) -> exit code` print an `InputError` as one message and return 2."""

    @functools.wraps(main)
    def guarded(argv: Sequence[str]) -> int:
        try:
            return main(argv)
        except InputError as error:
            print(f"error: {_readable(str(error))}", file=sys.stderr, flush=True)
            return BAD_INPUT

    return guarded


def _readable(message: str) -> str:
    """A message cut in its middle if it is long, without characters that would steer the terminal."""
    if len(message) > LONGEST:
        message = f"{message[: LONGEST // 2]} [...] {message[-LONGEST // 2 :]}"
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in message
    )

"""What a user can mend, and the exit codes of a command."""

from collections.abc import Iterable
from difflib import get_close_matches

ALL_DONE, BAD_INPUT = 0, 2
TO_DO = 3  # of a --dry-run alone


class InputError(ValueError):
    """Bad input: a file, line, key or language that is wrong, and what would be right."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the most similar known one, or all of them."""
    known = sorted(known)
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"

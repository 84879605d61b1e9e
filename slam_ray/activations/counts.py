"""The counts file: at how many tokens of a language each neuron was activated (the sums behind Eq. 3), per group."""

import lzma
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slam_ray.config import InputError

COUNTS_FILE = "counts.npz"
# A larger count could overflow a sum over groups and neurons.
MOST_TOKENS = 2**40
# What zipfile and numpy raise for a damaged table of contents, a compressed array, an array's header.
DAMAGE = (
    *(OSError, EOFError, zipfile.BadZipFile, RuntimeError),
    *(zlib.error, lzma.LZMAError, MemoryError),
    *(ValueError, TypeError, OverflowError, tokenize.TokenError),
)
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Counts:
    """Activated neurons as integers; every share, overlap and threshold follows from them without the model.

    Attributes:
        languages: N codes.
        activated: [groups, N, layers, neurons], the tokens at which a neuron was activated.
        tokens: [groups, N], the tokens counted.
    """

    languages: tuple[str, ...]
    activated: Integers
    tokens: Integers


def write_counts(file: Path, counts: Counts) -> None:
    """Write `counts` as an .npz file."""
    np.savez(file, languages=np.array(counts.languages), activated=counts.activated, tokens=counts.tokens)


def read_counts(file: Path) -> Counts:
    """Read a counts file, also one without groups: `activated` [N, layers, neurons] and `tokens` [N].

    Raises:
        InputError: the file is missing or no .npz, or an array is missing, misshapen, not integer or out of range.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            missing = {"languages", "activated", "tokens"} - set(arrays.files)
            if missing:
                raise InputError(f"{file}: holds no array {sorted(missing)[0]!r}")
            languages, activated, tokens = arrays["languages"], arrays["activated"], arrays["tokens"]
    except DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: not an .npz file of plain arrays: {error}") from error
    if activated.ndim == 3:
        activated, tokens = activated[None], tokens[None]
    _check(file, languages, activated, tokens)
    return Counts(tuple(languages.tolist()), activated, tokens)


def _check(file: Path, languages: npt.NDArray[Any], activated: npt.NDArray[Any], tokens: npt.NDArray[Any]) -> None:
    def check(holds: object, text: str) -> None:
        if not holds:
            raise InputError(f"{file}: {text}")

    check(languages.ndim == 1 and languages.dtype.kind == "U", "`languages` must be a list of strings")
    check(all(code.isprintable() and code for code in languages.tolist()), "`languages` must be codes such as en")
    check(len(set(languages.tolist())) == languages.size, f"`languages` names one twice: {languages.tolist()}")
    shape = "[languages, layers, neurons], with or without groups in front"
    check(activated.ndim == 4 and activated.size, f"`activated` must be {shape}, not of shape {activated.shape}")
    check(
        activated.shape[1] == languages.size,
        f"`activated` of shape {activated.shape} does not fit {languages.size} languages",
    )
    check(
        tokens.shape == activated.shape[:2],
        f"`tokens` must hold one number for each group and language {activated.shape[:2]}, not {tokens.shape}",
    )
    for name, array in (("activated", activated), ("tokens", tokens)):
        check(array.dtype.kind in "iu", f"`{name}` must be integers, not {array.dtype}")
        check(array.min() >= 0, f"`{name}` holds a negative number")
        check(array.max() <= MOST_TOKENS, f"`{name}` holds {array.max()}; more than {MOST_TOKENS} is no count")
    more = np.argwhere(activated.max(axis=(2, 3)) > tokens)
    if more.size:
        group, language = more[0]
        check(False, f"group {group}, {languages[language]}: a neuron is activated at more tokens than were counted")
    rest = tokens.sum(axis=0, dtype=np.int64) - (tokens if len(tokens) > 1 else 0)
    few = np.argwhere(rest <= 0)
    if few.size:
        check(False, f"{languages[few[0][-1]]}: no tokens were counted, or in one group only")

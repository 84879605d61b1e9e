"""Texts packed into rows: one forward pass has few rows of about equal length, and no padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TokenizedText:
    """A text as tokens, such as a translation pair in its prompt.

    Attributes:
        tokens: [length].
        prompt: number of leading tokens that carry no loss; at least 1 where the others do, as none predicts the first.
        name: for messages.
    """

    tokens: NDArray[np.int32]
    prompt: int
    name: str = ""


@dataclass(frozen=True)
class PackedRow:
    """Texts one after the other, for one forward pass.

    Attributes:
        tokens: [length].
        lengths: of the texts, in tokens.
        predicting: [targets], indices of the tokens whose next token carries loss.
        targets: [targets], those next tokens.
    """

    tokens: NDArray[np.int64]
    lengths: tuple[int, ...]
    predicting: NDArray[np.int64]
    targets: NDArray[np.int64]

    @property
    def boundaries(self) -> NDArray[np.int64]:
        """[texts + 1]: where each text begins, and the end of the last."""
        return np.cumsum([0, *self.lengths])

    @property
    def positions(self) -> NDArray[np.int64]:
        """[length], from 0 on in each text."""
        return np.arange(len(self.tokens)) - np.repeat(self.boundaries[:-1], self.lengths)


def packed_row(texts: Sequence[TokenizedText]) -> PackedRow:
    """These texts in one row, in this order."""
    if not texts:
        return empty_row()
    tokens = np.concatenate([text.tokens for text in texts]).astype(np.int64)
    lengths = tuple(len(text.tokens) for text in texts)
    with_loss = np.concatenate([np.arange(len(text.tokens)) >= text.prompt for text in texts])
    (targets,) = np.nonzero(with_loss)
    return PackedRow(tokens, lengths, targets - 1, tokens[targets])


def empty_row() -> PackedRow:
    """A row without targets, for a rank that has nothing to do in a forward pass that all ranks take."""
    nothing = np.zeros(0, np.int64)
    return PackedRow(np.zeros(1, np.int64), (1,), nothing, nothing)


def pack(lengths: Sequence[int], pack_length: int, ranks: int) -> list[list[int]]:
    """Distribute texts over as few rows of at most `pack_length` tokens as a multiple of `ranks` allows.

    The longest goes first, each to the shortest row so far, so the rows come out about equally long.

    Returns:
        Indices into `lengths` by row; a row is empty only where there are fewer texts than rows.
    """
    assert max(lengths) <= pack_length
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    count = ranks * -(-sum(lengths) // (pack_length * ranks))
    while True:
        rows: list[list[int]] = [[] for _ in range(count)]
        filled = [0] * count
        for index in order:
            shortest = filled.index(min(filled))
            if filled[shortest] + lengths[index] > pack_length:
                break
            rows[shortest].append(index)
            filled[shortest] += lengths[index]
        else:
            return rows
        count += ranks


def rows_of_rank(texts: Sequence[TokenizedText], pack_length: int, rank: int = 0, ranks: int = 1) -> list[PackedRow]:
    """The rows that one rank computes of these texts; every rank gets equally many."""
    packed = pack([len(text.tokens) for text in texts], pack_length, ranks)
    return [packed_row([texts[index] for index in indices]) for indices in packed[rank::ranks]]


def target_tokens(texts: Sequence[TokenizedText]) -> int:
    """Tokens that carry loss."""
    return sum(len(text.tokens) - text.prompt for text in texts)

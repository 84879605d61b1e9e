"""Which pairs make an optimizer step, and how they are laid out for the workers.

A step is a fixed set of pairs, a function of (seed, epoch, step) alone. Its pairs are packed into rows and dealt to
the ranks only afterwards, so neither the packing nor the number of workers changes what a step learns from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TokenizedExample:
    """A translation pair, or another text, as tokens.

    Attributes:
        tokens: [length], prompt, English side and end of sequence.
        prompt: number of leading tokens that carry no loss.
        name: of the pair, for messages.
    """

    tokens: NDArray[np.int32]
    prompt: int
    name: str = ""


@dataclass(frozen=True)
class PackedRow:
    """Examples one after the other, for one forward pass.

    Attributes:
        tokens: [length].
        positions: [length], from 0 on in each example.
        predicting: [targets], indices of the tokens whose next token carries loss.
        targets: [targets], those next tokens.
    """

    tokens: NDArray[np.int64]
    positions: NDArray[np.int64]
    predicting: NDArray[np.int64]
    targets: NDArray[np.int64]


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Optimizer steps in an epoch; the last one may be smaller."""
    return -(-examples // batch_size)


def batch(step: int, examples: int, batch_size: int, seed: int) -> NDArray[np.int64]:
    """Indices of the examples of an optimizer step, counted from 0 over all epochs; each epoch is shuffled anew."""
    epoch, step_of_epoch = divmod(step, steps_per_epoch(examples, batch_size))
    order = np.random.default_rng([seed, epoch]).permutation(examples)
    return order[step_of_epoch * batch_size : (step_of_epoch + 1) * batch_size]


def pack(lengths: Sequence[int], pack_length: int, ranks: int) -> list[list[int]]:
    """Distribute examples over as few rows of at most `pack_length` tokens as a multiple of `ranks` allows.

    The longest goes first, each to the shortest row so far, so the rows come out about equally long.

    Returns:
        Indices into `lengths` by row; a row is empty only where there are fewer examples than rows.
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


def rows_of_rank(examples: Sequence[TokenizedExample], pack_length: int, rank: int, ranks: int) -> list[PackedRow]:
    """The rows that one rank computes of a step's examples; every rank gets equally many."""
    packed = pack([len(example.tokens) for example in examples], pack_length, ranks)
    return [_row([examples[index] for index in indices]) for indices in packed[rank::ranks]]


def target_tokens(examples: Sequence[TokenizedExample]) -> int:
    """Tokens that carry loss."""
    return sum(len(example.tokens) - example.prompt for example in examples)


def empty_row() -> PackedRow:
    """A row without targets, for a rank that has nothing to do in a forward pass that all ranks take."""
    nothing, zero = np.zeros(0, np.int64), np.zeros(1, np.int64)
    return PackedRow(zero, zero, nothing, nothing)


def _row(examples: Sequence[TokenizedExample]) -> PackedRow:
    if not examples:
        return empty_row()
    starts = np.cumsum([0, *(len(example.tokens) for example in examples)])
    tokens = np.concatenate([example.tokens for example in examples]).astype(np.int64)
    positions = np.concatenate([np.arange(len(example.tokens)) for example in examples])
    targets = np.concatenate(
        [
            np.arange(start + example.prompt, start + len(example.tokens))
            for start, example in zip(starts, examples, strict=False)
        ]
    )
    return PackedRow(tokens, positions, targets - 1, tokens[targets])

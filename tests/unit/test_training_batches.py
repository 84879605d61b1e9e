"""What an optimizer step is, and how it is laid out: no pair lost, doubled, split or cut, whatever the workers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slam_ray.models.packing import PackedRow, TokenizedText, pack, rows_of_rank, target_tokens
from slam_ray.training.batches import batch, steps_per_epoch

SIZES = st.tuples(st.integers(1, 200), st.integers(1, 40), st.integers(0, 5))


@given(SIZES)
def test_an_epoch_takes_every_pair_once(sizes: tuple[int, int, int]) -> None:
    examples, batch_size, seed = sizes
    steps = steps_per_epoch(examples, batch_size)
    batches = [batch(step, examples, batch_size, seed) for step in range(2 * steps)]
    for epoch in (batches[:steps], batches[steps:]):
        assert sorted(np.concatenate(epoch)) == list(range(examples))
        assert all(len(taken) == batch_size for taken in epoch[:-1])


def test_each_epoch_and_seed_has_its_own_order() -> None:
    orders = {tuple(batch(step, 50, 50, seed)) for step in (0, 1, 2) for seed in (0, 1)}
    assert len(orders) == 6


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(60, 200), st.integers(1, 5))
def test_packing_keeps_each_pair_whole_and_gives_ranks_equally_many_rows(
    lengths: list[int], pack_length: int, ranks: int
) -> None:
    rows = pack(lengths, pack_length, ranks)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= pack_length for row in rows)
    assert len(rows) % ranks == 0
    # An empty row is computed for nothing, so there is one only where there are fewer pairs than rows are needed.
    assert all(rows) or len(lengths) < len(rows)


def test_packing_shares_the_work_of_a_step_evenly() -> None:
    lengths = np.random.default_rng(0).integers(30, 90, size=16).tolist()
    tokens = [sum(lengths[index] for index in row) for row in pack(lengths, 2048, 2)]
    assert len(tokens) == 2
    assert max(tokens) - min(tokens) < 0.1 * sum(lengths)


def unpacked(row: PackedRow) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Of each example in a row, its tokens and those among them that carry loss."""
    starts = [*np.flatnonzero(row.positions == 0), len(row.tokens)]
    parts = []
    for start, end in pairwise(starts):
        np.testing.assert_array_equal(row.positions[start:end], np.arange(end - start))
        inside = (row.predicting >= start) & (row.predicting + 1 < end)
        np.testing.assert_array_equal(row.tokens[row.predicting[inside] + 1], row.targets[inside])
        parts.append((tuple(row.tokens[start:end].tolist()), tuple(row.targets[inside].tolist())))
    return parts


EXAMPLES = st.lists(
    st.integers(2, 30).flatmap(
        lambda length: st.builds(
            TokenizedText,
            st.lists(st.integers(0, 9), min_size=length, max_size=length).map(np.array),
            st.integers(1, length - 1),
        )
    ),
    min_size=1,
    max_size=20,
)


@given(EXAMPLES, st.integers(1, 4))
def test_rows_of_all_ranks_hold_the_step_and_nothing_else(examples: list[TokenizedText], ranks: int) -> None:
    dealt = [rows_of_rank(examples, 40, rank, ranks) for rank in range(ranks)]
    assert len({len(rows) for rows in dealt}) == 1
    rows = [row for rows in dealt for row in rows]
    assert sum(len(row.targets) for row in rows) == target_tokens(examples)
    parts = [part for row in rows for part in unpacked(row) if len(row.targets)]
    whole = [tuple(example.tokens.tolist()) for example in examples]
    assert sorted(parts) == sorted(
        (tokens, tokens[example.prompt :]) for tokens, example in zip(whole, examples, strict=True)
    )


def test_a_pair_longer_than_a_row_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        pack([5, 11], pack_length=10, ranks=1)

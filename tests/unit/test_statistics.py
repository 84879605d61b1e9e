"""Intervals and tests against values worked out by hand or from their definition."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slam_ray.evaluation.statistics import Z_95, holm, mcnemar, paired_bootstrap, wilson


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_ends_are_where_the_score_test_turns(case: tuple[int, int]) -> None:
    correct, n = case
    low, high = wilson(correct, n)
    share = correct / n
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            assert abs(share - end) == pytest.approx(Z_95 * (end * (1 - end) / n) ** 0.5, abs=1e-9)


def test_wilson_of_a_published_example() -> None:
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)  # Newcombe 1998, table I, method 3
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_mcnemar_counts_all_outcomes_of_fair_coins() -> None:
    for gained, lost in itertools.product(range(7), repeat=2):
        n = gained + lost
        as_far = [k for k in range(n + 1) if abs(2 * k - n) >= abs(gained - lost)]
        expected = sum(sum(c) in as_far for c in itertools.product((0, 1), repeat=n)) / 2**n
        assert mcnemar(gained, lost) == pytest.approx(expected)


def test_mcnemar_of_many_problems_is_a_number() -> None:
    assert mcnemar(3000, 2000) < 1e-40
    assert mcnemar(2500, 2500) == 1


def test_holm_of_a_worked_example() -> None:
    # Four tests: 4 x .005, 3 x .01, then 2 x .03, which .04 must not fall below.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2]) == [0.2]
    assert holm([0.6, 0.7]) == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.sampled_from([0.01, 0.05, 0.5]))
def test_holm_rejects_what_the_stepwise_test_rejects(p: list[float], level: float) -> None:
    """The definition: from the smallest on, each is compared with the level over the number of those that are left."""
    rejected = set()
    for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[place] * (len(p) - rank) > level:
            break
        rejected.add(place)
    assert {place for place, corrected in enumerate(holm(p)) if corrected <= level} == rejected


def test_bootstrap_of_one_column_agrees_with_the_normal_interval() -> None:
    change = np.repeat([1.0, -1.0, 0.0], [300, 100, 600])[:, None]
    low, high = paired_bootstrap(change, np.ones_like(change, dtype=bool), 4000, seed=1)
    half = Z_95 * change.std() / 1000**0.5
    assert (low, high) == pytest.approx((0.2 - half, 0.2 + half), abs=0.004)


def test_bootstrap_draws_a_problem_in_all_languages_at_once() -> None:
    column = np.repeat([1.0, -1.0, 0.0], [30, 20, 50])[:, None]
    asked = np.ones((100, 8), dtype=bool)
    same = paired_bootstrap(np.repeat(column, 8, axis=1), asked, 2000, seed=0)
    one = paired_bootstrap(column, asked[:, :1], 2000, seed=0)
    assert same == pytest.approx(one)
    apart = np.stack([np.random.default_rng(seed).permutation(column[:, 0]) for seed in range(8)], axis=1)
    low, high = paired_bootstrap(apart, asked, 2000, seed=0)
    assert high - low < 0.6 * (one[1] - one[0])


def test_bootstrap_takes_languages_with_different_problems() -> None:
    asked = np.array([[True, False]] * 3 + [[False, True]] * 5)
    low, high = paired_bootstrap(asked.astype(float), asked, 500, seed=0)
    assert (low, high) == (1.0, 1.0)

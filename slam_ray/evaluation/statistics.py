"""How sure is an accuracy, and a difference of two? Wilson interval, exact McNemar test, Holm, paired bootstrap."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Z_95 = 1.959963984540054
_CHUNK = 500

Floats = npt.NDArray[np.float64]


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a share `correct / n`, both ends in 0 to 1."""
    assert 0 <= correct <= n > 0
    share, z2 = correct / n, Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # At the ends rounding would leave a 1e-17 where the interval is closed.
    return (0.0 if correct == 0 else centre - half), (1.0 if correct == n else centre + half)


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p of McNemar's test on `gained` and `lost` problems: a fair coin decided each of them."""
    n = gained + lost
    tail = ways = 1  # of n coins, ways that k of them fall on one side; exact integers
    for k in range(min(gained, lost)):
        ways = ways * (n - k) // (k + 1)
        tail += ways
    return min(1.0, 2 * tail / (1 << n))


def holm(p: Sequence[float]) -> list[float]:
    """P values corrected by Holm (1979) for their number, in the same order.

    If those below a level are called significant, the chance that any of them is so by luck is at most that level.
    """
    corrected, least = [1.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = least
    return corrected


def paired_bootstrap(change: Floats, exists: npt.NDArray[np.bool_], samples: int, seed: int) -> tuple[float, float]:
    """The 95 % percentile interval of a change of accuracy averaged over columns, by resampling rows.

    Args:
        change: [problems, languages] 1 where a problem was gained, -1 where it was lost, 0 elsewhere.
        exists: [problems, languages] whether the problem exists in that language.
        samples: number of resamples.
        seed: of the resampling.

    A problem is drawn with all its translations, which are not independent. A language without a problem in a
    resample does not count in that resample's average.
    """
    problems, _ = change.shape
    generator = np.random.default_rng(seed)
    weights = np.asarray(exists, dtype=np.float64)
    averages: list[Floats] = []
    for first in range(0, samples, _CHUNK):
        size = (min(_CHUNK, samples - first), problems)
        drawn = generator.integers(problems, size=size)
        times = np.stack([np.bincount(row, minlength=problems) for row in drawn]).astype(np.float64)
        counts = times @ weights
        means = np.divide(times @ (change * weights), counts, out=np.full_like(counts, np.nan), where=counts > 0)
        averages.append(np.nanmean(means, axis=1))
    low, high = np.percentile(np.concatenate(averages), [2.5, 97.5])
    return float(low), float(high)

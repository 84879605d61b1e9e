"""Splits by problem: an order of ids that is the same in every language, and what follows from it.

All languages, the question and the answer of a problem share its id, so they stay on one side of every split.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from slam_ray.config.schema import ProblemPart
from slam_ray.corpora.formats.records import Record
from slam_ray.corpora.records import Pair

VALIDATION_PROBLEMS = 200  # of a benchmark, to choose settings on


def position(id_: str, seed: int) -> float:
    """A number in [0, 1) that an id always has under a seed, spread evenly over the ids."""
    return int.from_bytes(hashlib.sha256(f"{seed} {id_}".encode()).digest()[:7]) / 2**56


def held_out_ids(ids: Iterable[str], share: float, seed: int) -> set[str]:
    """The ids that are kept for choosing settings: about `share` of them, and an id always or never under a seed."""
    return {id_ for id_ in set(ids) if position(id_, seed) < share}


def problems_of_part(problems: Sequence[Record], part: ProblemPart) -> list[Record]:
    """The problems of a benchmark to choose settings on, or the rest, whose scores then owe nothing to that choice."""
    ids = sorted({problem.id for problem in problems}, key=lambda id_: position(id_, 0))
    validation = set(ids[:VALIDATION_PROBLEMS])
    return [problem for problem in problems if (problem.id in validation) == (part == "choose")]


def balanced(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """As many pairs of every language as of the smallest, of the same problems where possible; in their order."""
    least = min(Counter(pair.language for pair in pairs).values(), default=0)
    order = sorted(range(len(pairs)), key=lambda index: (position(pairs[index].id, seed), pairs[index].kind))
    taken: Counter[str] = Counter()
    kept = []
    for index in order:
        if taken[pairs[index].language] < least:
            taken[pairs[index].language] += 1
            kept.append(index)
    return [pairs[index] for index in sorted(kept)]

"""Which pairs make an optimizer step.

A step is a fixed set of pairs, a function of (seed, epoch, step) alone. Its pairs are packed into rows and dealt to
the ranks only afterwards, so neither the packing nor the number of workers changes what a step learns from.
"""

import numpy as np
from numpy.typing import NDArray


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Optimizer steps in an epoch; the last one may be smaller."""
    return -(-examples // batch_size)


def batch(step: int, examples: int, batch_size: int, seed: int) -> NDArray[np.int64]:
    """Indices of the examples of an optimizer step, counted from 0 over all epochs; each epoch is shuffled anew."""
    epoch, step_of_epoch = divmod(step, steps_per_epoch(examples, batch_size))
    order = np.random.default_rng([seed, epoch]).permutation(examples)
    return order[step_of_epoch * batch_size : (step_of_epoch + 1) * batch_size]

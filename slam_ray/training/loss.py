"""The loss of packed rows, exact for each example in them, on any model family."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slam_ray.training.batches import Row


def negative_log_likelihood(model: torch.nn.Module, row: Row, device: torch.device) -> torch.Tensor:
    """Of a row's targets, summed, in nats: a scalar in float32.

    Positions that start again at 0 keep the row's examples from seeing one another, and the vocabulary is scored only
    where a target follows.
    """

    def tensor(values: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(values).to(device)

    output: Any = model(
        input_ids=tensor(row.tokens)[None],
        position_ids=tensor(row.positions)[None],
        logits_to_keep=tensor(row.predicting),
        use_cache=False,
    )
    return torch.nn.functional.cross_entropy(output.logits[0].float(), tensor(row.targets), reduction="sum")

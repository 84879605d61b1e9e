"""The loss of a packed row; each example in it has the loss that it would have alone."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slam_ray.training.batches import PackedRow


def negative_log_likelihood(model: torch.nn.Module, row: PackedRow, device: torch.device) -> torch.Tensor:
    """The summed negative log-likelihood of a row's targets, in nats: a scalar in float32.

    Attention is split where positions start again at 0, so examples do not attend to one another. The vocabulary is
    scored only where a target follows.
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

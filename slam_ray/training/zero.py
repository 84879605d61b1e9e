"""The model inside DeepSpeed's ZeRO stage 2: gradients, optimizer state and master weights are split over the ranks."""

import math
from collections.abc import Sequence
from contextlib import nullcontext

import deepspeed
import torch

from slam_ray.models.forward_pass import TargetLoss
from slam_ray.models.packing import PackedRow

# Without a GPU, DeepSpeed would spend most of a minute compiling a shared-memory op that training does not use.
deepspeed.ops.__compatible_ops__ = {}

BETAS = (0.9, 0.999)
EPSILON = 1e-8
CLIP_NORM = 1.0
LARGEST_BUCKET = 200_000_000
# Of a model's parameters. Up to this share every rank has room for the whole gradient in float32, which is then reduced
# once a step; of more, ZeRO splits the gradient over the ranks after each row.
WHOLE_GRADIENT_SHARE = 0.25


class Zero2:
    """A model in DeepSpeed's engine, with the paper's AdamW and clipping (appendix A.1).

    Gradients are summed over rows and reduced over ranks in float32, whatever the model's dtype.

    Args:
        loss: of the model; it is called with a packed row.
        parameters: the trained ones.
        dtype: of the model; master weights, moments and gradients are float32.

    Attributes:
        optimizer: inside the engine; the caller sets the learning rate of each step.
    """

    def __init__(self, loss: TargetLoss, parameters: Sequence[torch.nn.Parameter], dtype: str) -> None:
        trained = sum(parameter.numel() for parameter in parameters)
        self._whole = trained <= WHOLE_GRADIENT_SHARE * sum(parameter.numel() for parameter in loss.parameters())
        if self._whole:
            for parameter in parameters:
                parameter.grad_dtype = torch.float32
        fused = parameters[0].device.type in ("cpu", "cuda")  # one kernel for all; torch has it for these
        self.optimizer = torch.optim.AdamW(parameters, lr=0.0, betas=BETAS, eps=EPSILON, weight_decay=0.0, fused=fused)
        bucket = min(trained, LARGEST_BUCKET)
        config = {
            "train_micro_batch_size_per_gpu": 1,
            "gradient_accumulation_steps": 1,
            "gradient_clipping": CLIP_NORM,
            "bf16": {"enabled": dtype == "bfloat16"},
            "data_types": {"grad_accum_dtype": "fp32"},
            "communication_data_type": "fp32",
            "zero_optimization": {"stage": 2, "reduce_bucket_size": bucket, "allgather_bucket_size": bucket},
        }
        self._engine, *_ = deepspeed.initialize(
            model=loss, optimizer=self.optimizer, model_parameters=parameters, config=config
        )
        if self._whole:
            # DeepSpeed would round the sums to the model's dtype before it reduces them.
            self._engine.optimizer._gradient_reduction_buffer_dtype = lambda: torch.float32

    def accumulate(self, rows: Sequence[PackedRow], scale: float) -> torch.Tensor:
        """Sum the gradients of `scale` times the loss over the rows of all ranks, each of which has equally many.

        Returns:
            The summed loss of this rank's rows, [1] float64.
        """
        # DeepSpeed averages over the ranks.
        scale *= torch.distributed.get_world_size()
        total = torch.zeros(1, dtype=torch.float64, device=self._engine.device)
        with self._engine.coalesce_grad_reduction() if self._whole else nullcontext():
            for number, row in enumerate(rows, start=1):
                loss = self._engine(row)
                total += loss.detach()
                self._engine.set_gradient_accumulation_boundary(number == len(rows))
                self._engine.backward(loss * scale)
        return total

    def step(self) -> float:
        """Update the parameters with the accumulated gradient; returns its norm before it is clipped."""
        self._engine.step()
        return float(self._engine.get_global_grad_norm())


def learning_rate(step: int, steps: int, peak: float) -> float:
    """The learning rate of an optimizer step, counted from 0: a cosine from `peak` to 0 without warm-up."""
    return peak * 0.5 * (1 + math.cos(math.pi * step / steps))

"""The model inside DeepSpeed's ZeRO stage 2: gradients, optimizer state and master weights are split over the ranks."""

import math
from collections.abc import Sequence
from typing import Any

import deepspeed
import torch

# Without a GPU, DeepSpeed would spend most of a minute compiling a shared-memory op that training does not use.
deepspeed.ops.__compatible_ops__ = {}

BETAS = (0.9, 0.999)
EPSILON = 1e-8
CLIP_NORM = 1.0
LARGEST_BUCKET = 200_000_000


def zero2(
    model: torch.nn.Module, parameters: Sequence[torch.nn.Parameter], dtype: str
) -> tuple[Any, torch.optim.AdamW]:
    """Wrap a model whose `parameters` are trained, with the paper's AdamW and clipping (appendix A.1).

    The caller sets the learning rate of each step, and marks the last of its backward passes.

    Returns:
        The engine and the optimizer inside it.
    """
    optimizer = torch.optim.AdamW(parameters, lr=0.0, betas=BETAS, eps=EPSILON, weight_decay=0.0)
    bucket = min(sum(parameter.numel() for parameter in parameters), LARGEST_BUCKET)
    config = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": CLIP_NORM,
        "bf16": {"enabled": dtype == "bfloat16"},
        "data_types": {"grad_accum_dtype": "fp32"},
        "zero_optimization": {"stage": 2, "reduce_bucket_size": bucket, "allgather_bucket_size": bucket},
    }
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, model_parameters=parameters, config=config)
    return engine, optimizer


def learning_rate(step: int, steps: int, peak: float) -> float:
    """The learning rate of an optimizer step, counted from 0: a cosine from `peak` to 0 without warm-up."""
    return peak * 0.5 * (1 + math.cos(math.pi * step / steps))

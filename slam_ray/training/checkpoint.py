"""Training checkpoints by parameter name, so that a training can go on with any number of workers.

`tensors.safetensors` holds, per trained parameter, its float32 master copy and both of Adam's moments;
`progress.json` holds the steps done and the losses so far.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from deepspeed.utils import (
    safe_get_full_fp32_param,
    safe_get_full_optimizer_state,
    safe_set_full_fp32_param,
    safe_set_full_optimizer_state,
)
from pydantic import BaseModel
from safetensors.torch import load_file, save_file

from slam_ray.training.job import StepLoss
from slam_ray.training.last_checkpoint import PROGRESS_FILE, TENSORS_FILE

MASTER = "master"
MOMENTS = ("exp_avg", "exp_avg_sq")

Parameters = Mapping[str, torch.nn.Parameter]


class TrainingProgress(BaseModel):
    """How far a training is.

    Attributes:
        epoch: of the next step, from 0.
        step: optimizer steps done, over all epochs.
        losses: one entry for each of them.
    """

    epoch: int = 0
    step: int = 0
    losses: list[StepLoss] = []


def master_weights(parameters: Parameters) -> dict[str, torch.Tensor]:
    """The whole float32 weights on the CPU, by name; every rank must call this."""
    return {name: _full(safe_get_full_fp32_param(parameter)) for name, parameter in parameters.items()}


def save(folder: Path, parameters: Parameters, progress: TrainingProgress, write: bool) -> None:
    """Write a checkpoint into `folder`; every rank must call this, and the one with `write` does it."""
    tensors = {f"{MASTER}:{name}": weight for name, weight in master_weights(parameters).items()}
    for moment in MOMENTS:
        for name, parameter in parameters.items():
            tensors[f"{moment}:{name}"] = _full(safe_get_full_optimizer_state(parameter, moment))
    if write:
        save_file(tensors, folder / TENSORS_FILE)
        (folder / PROGRESS_FILE).write_text(progress.model_dump_json())


def restore(
    folder: Path, parameters: Parameters, optimizer: torch.optim.AdamW, empty_step: Callable[[], None]
) -> TrainingProgress:
    """Bring a freshly wrapped model to where a checkpoint was; every rank must call this.

    Args:
        empty_step: takes an optimizer step with gradients of zero, after which Adam's moments exist.
    """
    progress = TrainingProgress.model_validate_json((folder / PROGRESS_FILE).read_text())
    tensors = load_file(folder / TENSORS_FILE)
    empty_step()
    for name, parameter in parameters.items():
        master = tensors[f"{MASTER}:{name}"].to(parameter.device)
        safe_set_full_fp32_param(parameter, master)
        parameter.data.copy_(master)
        for moment in MOMENTS:
            safe_set_full_optimizer_state(parameter, tensors[f"{moment}:{name}"].to(parameter.device), moment)
    for state in optimizer.state.values():
        state["step"].fill_(progress.step)
    return progress


def _full(tensor: torch.Tensor | None) -> torch.Tensor:
    assert tensor is not None, "not a parameter of ZeRO"
    return tensor.detach().cpu()

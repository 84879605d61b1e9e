"""A model's whole checkpoint as a folder on this node: the base's own folder, or one that is assembled from it.

An assembled folder links the base's files and rewrites those that hold a trained tensor. transformers and vLLM load it
like any checkpoint, and every frozen tensor is bit-identical to the base's. Other weights that lie in the base's folder
are left out, because a library might load them instead.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from slam_ray.models.checkpoint import stray_files, weight_files
from slam_ray.models.reference import TRAINED_FILE, ModelRef

if TYPE_CHECKING:
    import torch


def checkpoint_folder(model: ModelRef, cache: Path) -> Path:
    """Folder that holds the whole checkpoint of `model` and no other weights; assembled in `cache` if need be.

    A file lock sees to it that the processes of a node assemble it only once.
    """
    if not model.trained and not stray_files(model.base):
        return model.base
    cache = cache.expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    # The base's path is part of the name: the links lead there, and a copy of the base elsewhere may outlive it.
    name = f"{model.fingerprint}-{hashlib.sha256(os.fsencode(model.base)).hexdigest()[:8]}"
    target = cache / name
    with FileLock(cache / f"{name}.lock"):
        if not target.exists():
            draft = cache / f"{name}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            assemble(model.base, [training.file(TRAINED_FILE) for training in model.trained], draft)
            draft.rename(target)
    return target


def assemble(base: Path, deltas: Sequence[Path], target: Path) -> None:
    """Write the checkpoint `base` into the new folder `target`, with the tensors in `deltas` in place of its own.

    Where several deltas hold a tensor, the last one's stands.

    Raises:
        ValueError: a trained tensor has no tensor of the same name and shape in the base.
    """
    from safetensors.torch import load_file

    replacements = {name: tensor for delta in deltas for name, tensor in load_file(delta).items()}
    target.mkdir(parents=True)
    weights, strays = set(weight_files(base)), stray_files(base)
    for file in sorted(base.iterdir()):
        if not file.is_file() or file.name in strays:
            continue
        if file not in weights or not _rewrite(file, replacements, target):
            os.symlink(file, target / file.name)
    if replacements:
        raise ValueError(f"the base holds no tensors named {sorted(replacements)}")


def _rewrite(file: Path, replacements: "dict[str, torch.Tensor]", target: Path) -> bool:
    """Write a file of weights into `target`, its tensors replaced by those of their names, which are taken out.

    Returns:
        Whether the file holds any of these tensors; if not, nothing is written.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(file, framework="pt") as stream:
        metadata = stream.metadata()
        inside = {name for name in stream.keys() if name in replacements}  # noqa: SIM118 - not a dict
    if not inside:
        return False
    tensors = load_file(file)
    for name in inside:
        new = replacements.pop(name)
        if new.shape != tensors[name].shape:
            raise ValueError(f"{name}: trained shape {tuple(new.shape)}, base {tuple(tensors[name].shape)}")
        tensors[name] = new.to(tensors[name].dtype)
    save_file(tensors, target / file.name, metadata=metadata)
    return True

"""Make a model's checkpoint appear as a folder on this node: the base's own, or an assembled one.

An assembled one links the base's files and rewrites those that hold a trained tensor, so transformers and vLLM load it
like any checkpoint and every frozen tensor is bit-identical to the base's. Other weights in the base's folder are left
out: of those a library might load some instead.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from slam_ray.models.checkpoint import stray_files, weight_files
from slam_ray.models.reference import TRAINED_FILE, ModelRef

if TYPE_CHECKING:
    import torch


def place(model: ModelRef, cache: Path) -> Path:
    """Folder of the whole checkpoint and no other weights on this node; assembled at most once, under a file lock."""
    if model.trained is None and not stray_files(model.base):
        return model.base
    cache = cache.expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    # Its links lead to this base; the same one elsewhere may outlive it.
    name = f"{model.fingerprint}-{hashlib.sha256(os.fsencode(model.base)).hexdigest()[:8]}"
    target = cache / name
    with FileLock(cache / f"{name}.lock"):
        if not target.exists():
            draft = cache / f"{name}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            assemble(model.base, model.trained.file(TRAINED_FILE) if model.trained else None, draft)
            draft.rename(target)
    return target


def assemble(base: Path, trained: Path | None, target: Path) -> None:
    """Write the checkpoint `base` with the tensors in `trained` replaced into the new folder `target`.

    Raises:
        ValueError: a trained tensor has no tensor of the same name and shape in the base.
    """
    from safetensors.torch import load_file

    replacements = load_file(trained) if trained else {}
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
    """Write a file of weights into `target` with those that it holds of the `replacements`, which are taken out.

    Returns:
        Whether it holds any; nothing is written otherwise.
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

"""Make a model's checkpoint appear as a folder on this node: the base's own, or an assembled tuned variant.

A variant links the base's files that hold no trained tensor and rewrites the others, so transformers and vLLM load it
like any checkpoint and every frozen tensor is bit-identical to the base's.
"""

import os
import shutil
from pathlib import Path

from filelock import FileLock

from slam_ray.models.reference import TRAINED_FILE, ModelRef


def place(model: ModelRef, cache: Path) -> Path:
    """Folder of the whole checkpoint on this node; assembled at most once per node, under a file lock."""
    if model.trained is None:
        return model.base
    cache = cache.expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / model.fingerprint
    with FileLock(cache / f"{model.fingerprint}.lock"):
        if not target.exists():
            draft = cache / f"{model.fingerprint}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            assemble(model.base, model.trained.file(TRAINED_FILE), draft)
            draft.rename(target)
    return target


def assemble(base: Path, trained: Path, target: Path) -> None:
    """Write the checkpoint `base` with the tensors in `trained` replaced into the new folder `target`.

    Raises:
        ValueError: a trained tensor has no tensor of the same name and shape in the base.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    replacements = load_file(trained)
    target.mkdir(parents=True)
    for file in sorted(base.iterdir()):
        if not file.is_file():
            continue
        if file.suffix != ".safetensors":
            shutil.copyfile(file, target / file.name)
            continue
        with safe_open(file, framework="pt") as stream:
            metadata = stream.metadata()
            inside = {name for name in stream.keys() if name in replacements}  # noqa: SIM118 - not a dict
        if not inside:
            os.symlink(file, target / file.name)
            continue
        tensors = load_file(file)
        for name in inside:
            new = replacements.pop(name)
            if new.shape != tensors[name].shape:
                raise ValueError(f"{name}: trained shape {tuple(new.shape)}, base {tuple(tensors[name].shape)}")
            tensors[name] = new.to(tensors[name].dtype)
        save_file(tensors, target / file.name, metadata=metadata)
    if replacements:
        raise ValueError(f"the base holds no tensors named {sorted(replacements)}")

"""Which of a folder's files are its checkpoint: the weights that its index names, or else model.safetensors.

Published folders hold other weights too: the same ones under Mistral's names (consolidated.safetensors) or in another
precision, those of another day, an adapter. transformers and vLLM each have rules of their own for such files, so both
get a folder that has none of them (`without_strays`).
"""

import json
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slam_ray.config import InputError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
# A file of these kinds holds weights that are not the checkpoint's, unless its index names that file.
WEIGHT_SUFFIXES = frozenset({".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack"})
# These files describe such weights, and a library that finds one loads what it describes.
STRAY_SETTINGS = frozenset({"params.json", "consolidated.safetensors.index.json", "adapter_config.json"})


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the checkpoint's weights, sorted by name.

    Raises:
        InputError: there are none; the index is damaged, or names anything but safetensors files in its folder, or
            leaves out a model.safetensors that lies there too.
    """
    in_folder = {file.name for file in folder.glob("*.safetensors") if file.is_file()}
    if not in_folder and any(folder.glob("*.gguf")):
        raise InputError(
            f"model.path: {folder} holds the weights as GGUF; give the checkpoint in safetensors that they were made of"
        )
    if not in_folder:
        raise InputError(
            f"model.path: {folder} holds no *.safetensors (pickled weights are never loaded; where you trust their"
            " author, load them with transformers and write them with save_pretrained)"
        )
    if (folder / INDEX).is_file():
        return [folder / name for name in _named_by_index(folder / INDEX, in_folder)]
    if WEIGHTS not in in_folder:
        raise InputError(
            f"model.path: {folder} holds no {WEIGHTS} or {INDEX}, without which pickled weights would be looked for"
        )
    return [folder / WEIGHTS]


def _named_by_index(index: Path, in_folder: Collection[str]) -> list[str]:
    """Names of the files that hold the weights, sorted; `in_folder` are all safetensors files beside the index.

    Raises:
        InputError: as `weight_files` does.
    """
    mapped = weight_map(index)
    for name in mapped.values():
        if name not in in_folder or not name.endswith(".safetensors"):
            raise InputError(f"model.path: {index} names {name!r}, which is no *.safetensors beside it")
    names = sorted(set(mapped.values()))
    if WEIGHTS in in_folder and names != [WEIGHTS]:
        raise InputError(
            f"model.path: {index} names {names[0]}, but {WEIGHTS} is there too, which transformers would read instead;"
            " give a folder that holds only what is the model"
        )
    return names


def weight_map(index: Path) -> dict[str, str]:
    """Name of the file that holds each tensor, as an index file has it."""
    mapped = json_object(index).get("weight_map")
    if not isinstance(mapped, dict) or not mapped:
        raise InputError(f"model.path: {index} holds no weight_map from tensors to files")
    if wrong := [name for name in mapped.values() if not isinstance(name, str)]:
        raise InputError(f"model.path: {index} names {wrong[0]!r}, which is no *.safetensors beside it")
    return mapped


def stray_files(folder: Path) -> set[str]:
    """Names of the files in a checkpoint's folder that hold or describe other weights than the checkpoint's."""
    weights = {file.name for file in weight_files(folder)}
    files = {file.name for file in folder.iterdir() if file.is_file()}
    return {name for name in files - weights if Path(name).suffix in WEIGHT_SUFFIXES or name in STRAY_SETTINGS}


@contextmanager
def without_strays(folder: Path) -> Iterator[Path]:
    """A checkpoint's folder, or for the block one of its name that has links to all files but the stray ones."""
    strays = stray_files(folder)
    if not strays:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="slam_ray-") as parent:
        links = Path(parent, folder.name)
        links.mkdir()
        for file in folder.iterdir():
            if file.is_file() and file.name not in strays:
                (links / file.name).symlink_to(file)
        yield links


def tensor_types(folder: Path) -> dict[str, str]:
    """Element type of every tensor of the checkpoint as safetensors calls it ("BF16"), by name.

    Raises:
        InputError: a file is damaged, two files hold the same tensor, or the index names the wrong file for one.
    """
    types: dict[str, str] = {}
    file_names: dict[str, str] = {}
    for file in weight_files(folder):
        for name, kind in _tensors(file).items():
            if name in types:
                raise InputError(f"model.path: {folder}: tensor {name} is in {file_names[name]} and in {file.name}")
            types[name], file_names[name] = kind, file.name
    if (folder / INDEX).is_file():
        for name, file_name in weight_map(folder / INDEX).items():
            if file_names.get(name) != file_name:
                raise InputError(
                    f"model.path: {folder / INDEX} has {name} in {file_name}, which lacks it; fetch both anew"
                )
    return types


def _tensors(file: Path) -> Mapping[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as stream:
            return {name: stream.get_slice(name).get_dtype() for name in stream.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise InputError(f"model.path: {file} is no whole safetensors file ({error}); fetch it anew") from None
    except OSError as error:
        raise InputError(f"model.path: {file} cannot be read: {error.strerror or error}") from None


def config_parts(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A config.json and, last, the settings of its text part, if it nests them; otherwise it is its own text part."""
    nested = config.get("text_config")
    return [config, nested] if isinstance(nested, dict) else [config]


def json_object(file: Path) -> dict[str, Any]:
    """What a JSON file of a checkpoint holds; InputError if that is no object."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"model.path: {file} is not JSON ({error})") from None
    except OSError as error:
        raise InputError(f"model.path: {file} cannot be read: {error.strerror}") from None
    if not isinstance(values, dict):
        raise InputError(f"model.path: {file} holds no JSON object")
    return values

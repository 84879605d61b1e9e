"""What a model is to us: a base checkpoint, or a base with tensors that a training step made for it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slam_ray.config import InputError, PromptsConfig
from slam_ray.models.families import Family, family_of
from slam_ray.pipeline.content import sha256
from slam_ray.pipeline.step import Artifact, fingerprint

TRAINED_FILE = "trained.safetensors"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class ModelRef:
    """A model by content.

    Attributes:
        base: folder of the base checkpoint.
        manifest: SHA-256 of each of the base's files, by name.
        trained: the train artifact whose `trained.safetensors` replaces tensors of the base, if any.
        trusted: whether Python code that the base brings along may be run.
    """

    base: Path
    manifest: tuple[tuple[str, str], ...]
    trained: Artifact[Any] | None = None
    trusted: bool = False

    @property
    def fingerprint(self) -> str:
        """Identity of the weights and the tokenizer."""
        return self.trained.fingerprint if self.trained else fingerprint({"files": dict(self.manifest)})

    @property
    def config(self) -> dict[str, Any]:
        """The checkpoint's config.json."""
        return _json_object(self.base / "config.json")

    @property
    def family(self) -> Family:
        """Where this model keeps its parts."""
        return family_of(self.config)


def base_model(path: str, trusted: bool = False) -> ModelRef:
    """Reference to a local checkpoint, with its code if that is `trusted`; every call hashes its files.

    Raises:
        InputError: no such folder, a file is missing, the weights are not safetensors or named otherwise than in the
            model, or the family is unknown.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise InputError(f"model.path: no such folder: {folder}; give a folder that holds a Hugging Face checkpoint")
    weights = _files(folder, "*.safetensors")
    for name, found in {
        "config.json": (folder / "config.json").is_file(),
        "*.safetensors (pickled weights are never loaded; where you trust their author, load them with transformers and"
        " write them with save_pretrained)": bool(weights),
        f"{WEIGHTS} or {INDEX}, without which pickled weights would be looked for": any(
            (folder / name).is_file() for name in (WEIGHTS, INDEX)
        ),
        "tokenizer.json": (folder / "tokenizer.json").is_file(),
    }.items():
        if not found:
            raise InputError(f"model.path: {folder} holds no {name}")
    patterns = ["*.json", "*.jinja", *(["*.py"] if trusted else [])]
    files = [*(file for pattern in patterns for file in _files(folder, pattern)), *weights]
    try:
        manifest = tuple((file.name, sha256(file)) for file in files)
    except OSError as error:
        raise InputError(f"model.path: {error.filename or folder} cannot be read: {error.strerror}") from None
    _json_object(folder / "tokenizer.json")
    _check_index(folder, {file.name for file in weights})
    model = ModelRef(folder, manifest, trusted=trusted)
    names = {name for file in weights for name in _tensors(file)}
    missing = {model.family.parameter(0, projection) for projection in model.family.projections} - names
    if missing:
        raise InputError(
            f"model.path: {folder} holds no tensor {min(missing)}; load it with transformers and write it with"
            " save_pretrained, which names tensors as the model does"
        )
    return model


def check_chat(prompts: PromptsConfig, model: ModelRef) -> None:
    """Raise InputError if the model is to be asked in a chat template and has none."""
    settings = model.base / "tokenizer_config.json"
    inside = settings.is_file() and "chat_template" in _json_object(settings)
    if prompts.chat and not inside and not (model.base / "chat_template.jinja").is_file():
        raise InputError(
            f"prompts.chat: {model.base} has no chat template (chat_template.jinja, or in tokenizer_config.json);"
            " it is no instruct model, or lacks that file"
        )


def _tensors(file: Path) -> list[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as stream:
            return list(stream.keys())
    except SafetensorError as error:
        raise InputError(f"model.path: {file} is no whole safetensors file ({error}); fetch it anew") from None


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for file in folder.glob(pattern) if file.is_file())


def _json_object(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"model.path: {file} is not JSON ({error})") from None
    if not isinstance(values, dict):
        raise InputError(f"model.path: {file} holds no JSON object")
    return values


def _check_index(folder: Path, weights: set[str]) -> None:
    """Every file that the index names has to be one of the weights: no pickle, no file of another folder."""
    if (folder / INDEX).is_file():
        named = _json_object(folder / INDEX).get("weight_map")
        if not isinstance(named, dict) or not named:
            raise InputError(f"model.path: {folder / INDEX} holds no weight_map from tensors to files")
        if wrong := [name for name in named.values() if not isinstance(name, str) or name not in weights]:
            raise InputError(f"model.path: {folder / INDEX} names {wrong[0]!r}, which is no *.safetensors beside it")

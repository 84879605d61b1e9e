"""What a model is to us: a base checkpoint, or a base with tensors that a training step made for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from slam_ray.config import InputError, PromptsConfig
from slam_ray.models.checkpoint import STRAY_SETTINGS, json_object, tensor_types, weight_files
from slam_ray.models.families import Family, family_of
from slam_ray.models.quantised import quantised_by_settings, quantised_by_tensors
from slam_ray.pipeline.content import sha256
from slam_ray.pipeline.location import Folder
from slam_ray.pipeline.step import Artifact, fingerprint

TRAINED_FILE = "trained.safetensors"


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
        return json_object(self.base / "config.json")

    @property
    def on_nodes(self) -> Sequence[Folder]:
        """The base's files, which workers read on their own nodes."""
        return [Folder(self.base / name) for name, _ in self.manifest]

    @property
    def family(self) -> Family:
        """Where this model keeps its parts."""
        return family_of(self.config)


def base_model(path: str, trusted: bool = False) -> ModelRef:
    """Reference to a local checkpoint, with its code if that is `trusted`.

    Raises:
        InputError: no such folder, a file is missing, the weights are quantised, not safetensors or named otherwise
            than in the model, or the family is unknown.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise InputError(f"model.path: no such folder: {folder}; give a folder that holds a Hugging Face checkpoint")
    if (folder / "config.json").is_file():
        check_config(folder)
    weights = weight_files(folder)
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise InputError(f"model.path: {folder} holds no {name}")
    json_object(folder / "tokenizer.json")
    _check_tensors(folder)
    patterns = ["*.json", "*.jinja", *(["*.py"] if trusted else [])]
    files = sorted(file for pattern in patterns for file in folder.glob(pattern) if file.is_file())
    try:
        kept = [file for file in [*files, *weights] if file.name not in STRAY_SETTINGS]
        return ModelRef(folder, tuple((file.name, _digest(file)) for file in kept), trusted=trusted)
    except OSError as error:
        raise InputError(f"model.path: {error.filename or folder} cannot be read: {error.strerror}") from None


def check_config(folder: Path) -> None:
    """Raise InputError if the settings of a checkpoint show that it cannot be used; needs none of its weights."""
    config = json_object(folder / "config.json")
    family_of(config)
    if method := quantised_by_settings(folder, config):
        raise _quantised(folder, method)


def _check_tensors(folder: Path) -> None:
    types, family = tensor_types(folder), family_of(json_object(folder / "config.json"))
    if sign := quantised_by_tensors(types):
        raise _quantised(folder, sign)
    names = {family.loaded_name(name) for name in types}
    if missing := {family.parameter(0, projection) for projection in family.projections} - names:
        raise InputError(
            f"model.path: {folder} holds no tensor {min(missing)}; load it with transformers and write it with"
            " save_pretrained, which names tensors as the model does"
        )


def _quantised(folder: Path, how: str) -> InputError:
    return InputError(
        f"model.path: {folder} is quantised ({how}); tuning needs the weights themselves, and is measured against them:"
        " give the unquantised checkpoint"
    )


def _digest(file: Path) -> str:
    """SHA-256 of a file; one that did not change since is not read again."""
    state = file.stat()
    return _digest_of(file, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@cache
def _digest_of(file: Path, *state: int) -> str:
    return sha256(file)


def check_chat(prompts: PromptsConfig, model: ModelRef) -> None:
    """Raise InputError if the model is to be asked in a chat template and has none."""
    settings = model.base / "tokenizer_config.json"
    inside = settings.is_file() and json_object(settings).get("chat_template")
    if prompts.chat and not inside and not (model.base / "chat_template.jinja").is_file():
        raise InputError(
            f"prompts.chat: {model.base} has no chat template (chat_template.jinja, or in tokenizer_config.json);"
            " it is no instruct model, or lacks that file"
        )

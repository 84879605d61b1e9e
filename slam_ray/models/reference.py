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
        config: dict[str, Any] = json.loads((self.base / "config.json").read_text())
        return config

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
    weights = sorted(folder.glob("*.safetensors"))
    for name, found in {
        "config.json": (folder / "config.json").is_file(),
        "*.safetensors (pickled weights are never loaded; where you trust their author, load them with transformers and"
        " write them with save_pretrained)": bool(weights),
        "tokenizer.json": (folder / "tokenizer.json").is_file(),
    }.items():
        if not found:
            raise InputError(f"model.path: {folder} holds no {name}")
    patterns = ["*.json", "*.jinja", *(["*.py"] if trusted else [])]
    files = [*(file for pattern in patterns for file in sorted(folder.glob(pattern))), *weights]
    model = ModelRef(folder, tuple((file.name, sha256(file)) for file in files), trusted=trusted)
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
    inside = settings.is_file() and "chat_template" in json.loads(settings.read_text(encoding="utf-8"))
    if prompts.chat and not inside and not (model.base / "chat_template.jinja").is_file():
        raise InputError(
            f"prompts.chat: {model.base} has no chat template (chat_template.jinja, or in tokenizer_config.json);"
            " it is no instruct model, or lacks that file"
        )


def _tensors(file: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(file, framework="np") as stream:
        return list(stream.keys())

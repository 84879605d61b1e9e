"""What a model is to us: a base checkpoint, and the tensors that trainings made for it, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from slam_ray.config import InputError, PromptsConfig
from slam_ray.models.checkpoint import STRAY_SETTINGS, config_parts, json_object, tensor_types, weight_files
from slam_ray.models.families import Family, family_of
from slam_ray.models.quantisation import quantisation_method, quantised_tensor
from slam_ray.store.artifact import Artifact, fingerprint
from slam_ray.store.hashing import sha256
from slam_ray.store.local import LocalLocation
from slam_ray.store.step import Artifacts, Derived, Input

TRAINED_FILE = "trained.safetensors"
LAYER_COUNT_KEYS = ("num_hidden_layers", "n_layer")  # the second is GPT-2's


@dataclass(frozen=True)
class ModelRef:
    """A model by content.

    Attributes:
        base: folder of the base checkpoint.
        manifest: SHA-256 of each of the base's files, by name.
        trained: the train artifacts whose `trained.safetensors` replace tensors of the base, in this order.
        trusted: whether Python code that the base brings along may be run.
    """

    base: Path
    manifest: tuple[tuple[str, str], ...]
    trained: tuple[Artifact[Any], ...] = ()
    trusted: bool = False

    @property
    def fingerprint(self) -> str:
        """Identity of the weights and the tokenizer; that of the last training holds the model that was trained."""
        return self.trained[-1].fingerprint if self.trained else fingerprint({"files": dict(self.manifest)})

    @property
    def untuned(self) -> "ModelRef":
        """The base alone."""
        return replace(self, trained=())

    @property
    def config(self) -> dict[str, Any]:
        """The checkpoint's config.json."""
        return json_object(self.base / "config.json")

    @property
    def on_nodes(self) -> Sequence[LocalLocation]:
        """The base's files, which workers read on their own nodes."""
        return [LocalLocation(self.base / name) for name, _ in self.manifest]

    @property
    def family(self) -> Family:
        """Where this model keeps its parts."""
        return family_of(self.config)

    @property
    def layer_count(self) -> int | None:
        """Number of layers, of the text part if there are several; None if config.json leaves it to a default."""
        text = config_parts(self.config)[-1]
        return next((text[key] for key in LAYER_COUNT_KEYS if isinstance(text.get(key), int)), None)


# A model that steps read: known at once, or when a checkpoint is fetched or a training made.
Model: TypeAlias = Derived[ModelRef]


def tuned(model: Model, training: Input[Any]) -> Model:
    """`model` with the tensors that a training step makes for it."""

    def value(artifacts: Artifacts) -> ModelRef:
        before = artifacts[model]
        return replace(before, trained=(*before.trained, artifacts[training]))

    return Derived([model, training], value)


def base_model(path: str, trusted: bool = False) -> ModelRef:
    """Reference to a local checkpoint, with its code if that is `trusted`.

    Raises:
        InputError: there is no such folder, a file is missing, the weights are quantised, not safetensors or named
            otherwise than in the model, or the family is unknown.
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
    """Raise InputError if a checkpoint's settings show that it cannot be used; its weights need not be there yet."""
    config = json_object(folder / "config.json")
    family_of(config)
    if method := quantisation_method(folder, config):
        raise _quantised(folder, method)


def _check_tensors(folder: Path) -> None:
    types, family = tensor_types(folder), family_of(json_object(folder / "config.json"))
    if sign := quantised_tensor(types):
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
    """SHA-256 of a file, which is read again only if its state on the disk has changed."""
    state = file.stat()
    return _digest_of(file, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@cache
def _digest_of(file: Path, *state: int) -> str:
    return sha256(file)


def check_chat(prompts: PromptsConfig, model: ModelRef) -> None:
    """Raise InputError if prompts are to be put into the model's chat template and it has none."""
    settings = model.base / "tokenizer_config.json"
    inside = settings.is_file() and json_object(settings).get("chat_template")
    if prompts.chat and not inside and not (model.base / "chat_template.jinja").is_file():
        raise InputError(
            f"prompts.chat: {model.base} has no chat template (chat_template.jinja, or in tokenizer_config.json);"
            " it is no instruct model, or lacks that file"
        )

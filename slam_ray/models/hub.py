"""The model that a configuration names: a local checkpoint, or one that is fetched from the Hugging Face Hub.

A checkpoint from the Hub is fetched once, and known by its commit and the content of its files.
"""

from pathlib import Path

from pydantic import BaseModel

from slam_ray.config import InputError, ModelConfig, Section
from slam_ray.models.checkpoint import INDEX, STRAY_SETTINGS, WEIGHTS, weight_map
from slam_ray.models.reference import Model, ModelRef, base_model, check_config
from slam_ray.store.step import Attempt, Derived, Step, known

# What a checkpoint has for us besides its weights; its code only if that is trusted.
SETTINGS = ["*.json", "*.jinja"]
CODE = ["*.py"]


class HubModel(Section):
    """A repository on the Hub, a commit, branch or tag of it, and whether its code is taken too."""

    hub: str
    revision: str
    trusted: bool


class FetchedModel(BaseModel):
    """What was fetched: the commit, and the SHA-256 of each file by name."""

    commit: str
    manifest: dict[str, str]


def pretrained(config: ModelConfig) -> Model:
    """The model as it is before any training.

    Raises:
        InputError: a local checkpoint cannot be used.
    """
    trusted = config.trust_remote_code
    if config.path is not None:
        return known(base_model(config.path, trusted))
    assert config.hub is not None
    hub = config.hub
    fetch = _fetch_step(HubModel(hub=hub, revision=config.revision, trusted=trusted))
    return Derived([fetch], lambda artifacts: _reference(hub, artifacts[fetch].result, trusted))


def _fetch_step(repository: HubModel) -> Step[FetchedModel]:
    """Fetch a checkpoint into this machine's Hugging Face cache; a branch stays at the commit that it named then.

    Raises:
        InputError: (in its run) there is no such repository or revision, no access or network, or its checkpoint
            cannot be used.
    """
    hub, trusted = repository.hub, repository.trusted

    def run(attempt: Attempt) -> FetchedModel:
        try:
            folder = _fetch(hub, repository.revision, trusted)
            return FetchedModel(commit=folder.name, manifest=dict(base_model(str(folder), trusted).manifest))
        except InputError as error:
            raise InputError(str(error).replace("model.path:", f"model.hub: {hub}:", 1)) from None

    return Step("fetch-model", 2, repository, {}, FetchedModel, run, fetches=True, label=f"fetch {hub}")


def _reference(hub: str, fetched: FetchedModel, trusted: bool) -> ModelRef:
    """The checkpoint that was fetched, by content; fetched again if this machine no longer has all of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(hub, revision=fetched.commit, local_files_only=True))
    except LocalEntryNotFoundError:
        folder = _fetch(hub, fetched.commit, trusted)
    if not all((folder / name).is_file() for name in fetched.manifest):
        folder = _fetch(hub, fetched.commit, trusted)
    return ModelRef(folder, tuple(fetched.manifest.items()), trusted=trusted)


def _fetch(hub: str, revision: str, trusted: bool) -> Path:
    """Folder of a checkpoint in the Hugging Face cache, named after its commit.

    The settings are fetched first: they say which files hold the weights, and whether these are of any use. If an index
    names other files, a model.safetensors is fetched as well, to be refused: transformers would read that one.
    """
    folder = _snapshot(hub, revision, SETTINGS + (CODE if trusted else []))
    if (folder / "config.json").is_file():
        check_config(folder)
    named = set(weight_map(folder / INDEX).values()) if (folder / INDEX).is_file() else set()
    return _snapshot(hub, folder.name, [*named, WEIGHTS])


def _snapshot(hub: str, revision: str, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(hub, revision=revision, allow_patterns=patterns, ignore_patterns=[*STRAY_SETTINGS])
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"model.hub: cannot fetch {hub!r} (revision {revision}) from the Hub: {said}") from None

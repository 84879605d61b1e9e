"""A checkpoint from the Hugging Face Hub: fetched once, then known by its commit and the content of its files."""

from pathlib import Path

from pydantic import BaseModel

from slam_ray.config import InputError, Section
from slam_ray.models.checkpoint import INDEX, STRAY_SETTINGS, WEIGHTS, weight_map
from slam_ray.models.reference import ModelRef, base_model, check_config
from slam_ray.pipeline.step import Artifact, Attempt, Step

# What a checkpoint has for us besides its weights; code only where it is trusted.
SETTINGS = ["*.json", "*.jinja"]
CODE = ["*.py"]


class HubModel(Section):
    """A repository on the Hub, a commit, branch or tag of it, and whether its code is taken too."""

    hub: str
    revision: str
    trusted: bool


class Fetched(BaseModel):
    """What was fetched: the commit, and the SHA-256 of each file by name."""

    commit: str
    manifest: dict[str, str]


def fetch_model_step(hub: str, revision: str, trusted: bool = False) -> Step[Fetched]:
    """Fetch a checkpoint into this machine's Hugging Face cache; a branch stays at the commit that it named then.

    Raises:
        InputError: (in its run) there is no such repository or revision, no access or network, or its checkpoint
            cannot be used.
    """

    def run(attempt: Attempt) -> Fetched:
        try:
            folder = _fetch(hub, revision, trusted)
            return Fetched(commit=folder.name, manifest=dict(base_model(str(folder), trusted).manifest))
        except InputError as error:
            raise InputError(str(error).replace("model.path:", f"model.hub: {hub}:", 1)) from None

    return Step("fetch-model", 2, HubModel(hub=hub, revision=revision, trusted=trusted), {}, Fetched, run)


def fetched_model(hub: str, fetched: Artifact[Fetched], trusted: bool = False) -> ModelRef:
    """The checkpoint that was fetched, by content; fetched again where this machine no longer has all of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    result = fetched.result
    try:
        folder = Path(snapshot_download(hub, revision=result.commit, local_files_only=True))
    except LocalEntryNotFoundError:
        folder = _fetch(hub, result.commit, trusted)
    if not all((folder / name).is_file() for name in result.manifest):
        folder = _fetch(hub, result.commit, trusted)
    return ModelRef(folder, tuple(result.manifest.items()), trusted=trusted)


def _fetch(hub: str, revision: str, trusted: bool) -> Path:
    """Folder of a checkpoint in the Hugging Face cache, named after its commit.

    Its settings come first: they say which files hold the weights, and whether these are of any use. Where an index
    names others, a model.safetensors comes too, to be refused: transformers would read that one.
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

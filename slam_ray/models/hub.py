"""A checkpoint from the Hugging Face Hub: fetched once, then known by its commit and the content of its files."""

from pathlib import Path

from pydantic import BaseModel

from slam_ray.config import InputError, Section
from slam_ray.models.reference import ModelRef, base_model
from slam_ray.pipeline.step import Artifact, Attempt, Step

# What a checkpoint consists of for us: never pickled weights, never code.
PATTERNS = ["*.json", "*.safetensors", "*.jinja"]


class HubModel(Section):
    """A repository on the Hub, and a commit, branch or tag of it."""

    hub: str
    revision: str


class Fetched(BaseModel):
    """What was fetched: the commit, and the SHA-256 of each file by name."""

    commit: str
    manifest: dict[str, str]


def fetch_model_step(hub: str, revision: str) -> Step[Fetched]:
    """Fetch a checkpoint into this machine's Hugging Face cache; a branch stays at the commit that it named then.

    Raises:
        InputError: (in its run) there is no such repository or revision, no access or network, or its checkpoint
            cannot be used.
    """

    def run(attempt: Attempt) -> Fetched:
        folder = _fetch(hub, revision)
        return Fetched(commit=folder.name, manifest=dict(base_model(str(folder)).manifest))

    return Step("fetch-model", 1, HubModel(hub=hub, revision=revision), {}, Fetched, run)


def fetched_model(hub: str, fetched: Artifact[Fetched]) -> ModelRef:
    """The checkpoint that was fetched, by content; fetched again where this machine no longer has it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    result = fetched.result
    try:
        folder = Path(snapshot_download(hub, revision=result.commit, local_files_only=True))
    except LocalEntryNotFoundError:
        folder = _fetch(hub, result.commit)
    return ModelRef(folder, tuple(result.manifest.items()))


def _fetch(hub: str, revision: str) -> Path:
    """Folder of a checkpoint in the Hugging Face cache, named after its commit."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"model.hub: cannot fetch {hub!r} (revision {revision}) from the Hub: {said}") from None

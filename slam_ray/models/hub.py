"""A checkpoint from the Hugging Face Hub: fetched once, then known by its commit and the content of its files."""

from pathlib import Path

from pydantic import BaseModel

from slam_ray.config import InputError, Section
from slam_ray.models.reference import ModelRef, base_model
from slam_ray.pipeline.step import Artifact, Attempt, Step

# What a checkpoint consists of for us: never pickled weights, and code only where it is trusted.
PATTERNS = ["*.json", "*.safetensors", "*.jinja"]
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
        folder = _fetch(hub, revision, trusted)
        return Fetched(commit=folder.name, manifest=dict(base_model(str(folder), trusted).manifest))

    return Step("fetch-model", 1, HubModel(hub=hub, revision=revision, trusted=trusted), {}, Fetched, run)


def fetched_model(hub: str, fetched: Artifact[Fetched], trusted: bool = False) -> ModelRef:
    """The checkpoint that was fetched, by content; fetched again where this machine no longer has it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    result = fetched.result
    try:
        folder = Path(snapshot_download(hub, revision=result.commit, local_files_only=True))
    except LocalEntryNotFoundError:
        folder = _fetch(hub, result.commit, trusted)
    return ModelRef(folder, tuple(result.manifest.items()), trusted=trusted)


def _fetch(hub: str, revision: str, trusted: bool) -> Path:
    """Folder of a checkpoint in the Hugging Face cache, named after its commit."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=PATTERNS + (CODE if trusted else [])))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"model.hub: cannot fetch {hub!r} (revision {revision}) from the Hub: {said}") from None

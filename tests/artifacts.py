"""An artifact whose files a test has put into a folder itself."""

from pathlib import Path
from typing import Any

from slam_ray.store.artifact import Artifact
from slam_ray.store.local import LocalLocation


def artifact_of(folder: Path, step: str = "made-by-a-test", fingerprint: str = "0" * 20) -> Artifact[Any]:
    """An artifact without a result."""
    return Artifact(step, fingerprint, LocalLocation(folder), dict.fromkeys(LocalLocation(folder).files(), ""))

"""A run's folder, `<storage>/runs/<name>/`: what was asked for, which artifacts answer it, scores, summary, report.

The folder holds no result of its own, so it can be written again from the artifacts at any time; but a finished run
never comes to name other artifacts than it did.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from slam_ray.config import InputError, RunConfig
from slam_ray.pipeline.stages import Planned
from slam_ray.pipeline.step import Artifact
from slam_ray.pipeline.storage import Storage

SUMMARY, SCORES, ARTIFACTS, CONFIG = "summary.json", "scores.json", "artifacts.json", "config.yaml"


class RunDirectory:
    """The folder of the run that `config` names."""

    def __init__(self, config: RunConfig, storage: Storage) -> None:
        self._config = config
        self.path = storage.root / "runs" / config.name
        self._artifacts: dict[str, str] = {}

    def check(self, planned: Sequence[Planned]) -> None:
        """Raise InputError if this name is taken by a finished run that a plan of this one does not lead to."""
        if not (self.path / SUMMARY).exists():
            return
        before = json.loads((self.path / ARTIFACTS).read_text())
        for stage in planned:
            if stage.fingerprint and before.get(stage.title) != f"{stage.step}/{stage.fingerprint}":
                raise InputError(
                    f"run {self._config.name!r} in {self.path} is finished and differs in {stage.title!r}"
                    f" ({stage.reason or 'its input files'}); give this one another name with --name"
                )

    def start(self) -> None:
        """Write the resolved configuration; a finished run keeps its links, so that a kill leaves none of them out."""
        self.path.mkdir(parents=True, exist_ok=True)
        if (self.path / SUMMARY).exists():
            self._artifacts = json.loads((self.path / ARTIFACTS).read_text())
        (self.path / CONFIG).write_text(yaml.safe_dump(self._config.model_dump(mode="json"), sort_keys=False))

    def add(self, title: str, artifact: Artifact[Any]) -> None:
        """Link an artifact as soon as it stands."""
        self._artifacts[title] = f"{artifact.step}/{artifact.fingerprint}"
        _write(self.path / ARTIFACTS, self._artifacts)

    def keep(self, file: Path) -> Path:
        """Put a copy of an artifact's file into the folder; returns its place there."""
        return Path(shutil.copyfile(file, self.path / file.name))

    def finish(self, scores: Mapping[str, Any], summary: BaseModel) -> Path:
        """Put all scores and, last, the summary into the folder, which is finished with it; the scores' place."""
        _write(self.path / SCORES, scores)
        _write(self.path / SUMMARY, summary.model_dump(mode="json"))
        return self.path / SCORES


def _write(file: Path, values: Mapping[str, Any]) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(file)

"""A run: its stages, and its folder `<storage>/runs/<name>/` with what was asked for, links to artifacts, and summary.

The folder holds no result of its own, so it can be written again from the artifacts at any time; but a finished run
never comes to name other artifacts than it did.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from slam_ray.config import ALL_DONE, TO_DO, InputError, RunConfig
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.location import Location
from slam_ray.pipeline.room import room_in
from slam_ray.pipeline.stages import Stages, describe, plan, run, try_out, without_workers
from slam_ray.pipeline.step import Artifact
from slam_ray.pipeline.storage import Storage

SUMMARY, SCORES, ARTIFACTS, CONFIG = "summary.json", "scores.json", "artifacts.json", "config.yaml"


class Run:
    """The run that `config` names.

    Raises:
        InputError: a finished run of this name is not what these stages lead to; a stage cannot be built.
    """

    def __init__(self, config: RunConfig, stages: Stages) -> None:
        self.storage = Storage.of(config)
        self.path = self.storage.root / "runs" / config.name
        self._config, self._stages = config, stages
        self._planned = plan(stages, self.storage)
        self._artifacts: dict[str, str] = {}
        if (self.path / SUMMARY).exists():
            # A finished run keeps its links while it is gone through again, so that a kill leaves none of them out.
            self._artifacts = read_links(self.path / ARTIFACTS)
            self._check()

    def dry_run(self) -> int:
        """Say which stages are done or to do, and meet the errors that need no worker; the exit code."""
        try_out(without_workers(self._stages), self.storage)
        print(describe(self._planned))
        return ALL_DONE if all(stage.state == "done" for stage in self._planned) else TO_DO

    def carry_out(self) -> dict[str, Artifact[Any]]:
        """Make what is not made yet; the artifacts by title, each linked in the folder as soon as it stands."""
        config = self._config
        with room_in(self.storage.root), Context(config.execution, storage=self.storage.root) as context:
            text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
            (self.path / CONFIG).write_bytes(text.encode())
            return run(self._stages, self.storage, context, self._link)

    def keep(self, file: Path) -> Location:
        """Put a copy of an artifact's file into the folder; returns its place there."""
        with room_in(self.storage.root):
            (self.path / file.name).write_bytes(file.read_bytes())
        return self.path / file.name

    def finish(self, scores: Mapping[str, Any], summary: BaseModel) -> Location:
        """Put all scores and, last, the summary into the folder, which is finished with it; the scores' place."""
        with room_in(self.storage.root):
            _write(self.path / SCORES, scores)
            _write(self.path / SUMMARY, summary.model_dump(mode="json"))
        return self.path / SCORES

    def _link(self, title: str, artifact: Artifact[Any]) -> None:
        self._artifacts[title] = f"{artifact.step}/{artifact.fingerprint}"
        _write(self.path / ARTIFACTS, self._artifacts)

    def _check(self) -> None:
        for stage in self._planned:
            if stage.fingerprint and self._artifacts.get(stage.title) != f"{stage.step}/{stage.fingerprint}":
                raise InputError(
                    f"run {self._config.name!r} in {self.path} is finished and differs in {stage.title!r}"
                    f" ({stage.reason or 'its input files'}); give this one another name with --name"
                )


def read_links(file: Location) -> dict[str, str]:
    """The artifacts that a run holds, by title of their stage.

    Raises:
        InputError: there is no such file, or it was altered.
    """
    try:
        return TypeAdapter(dict[str, str]).validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise InputError(
            f"{file} does not say what the run holds; remove {file.parent}: the run then finds its artifacts again"
        ) from None


def _write(file: Location, values: Mapping[str, Any]) -> None:
    file.write_bytes((json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())

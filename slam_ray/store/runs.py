"""A run: its steps, and its folder `<storage>/runs/<name>/` with what was asked for, links to artifacts, and summary.

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
from slam_ray.store.artifact import Artifact
from slam_ray.store.disk_space import full_disk_as_input_error
from slam_ray.store.location import Location
from slam_ray.store.making import DONE, Steps, check_inputs, describe, make, plan
from slam_ray.store.step import Artifacts
from slam_ray.store.storage import Storage
from slam_ray.store.workers import Cluster

SUMMARY, SCORES, LINKS, CONFIG = "summary.json", "scores.json", "artifacts.json", "config.yaml"


class Run:
    """The run that `config` names, of the steps that lead to the `last` ones.

    Raises:
        InputError: a finished run of this name is not what these steps lead to; a step cannot be planned.
    """

    def __init__(self, config: RunConfig, last: Steps) -> None:
        self.storage = Storage.of(config)
        self.path = self.storage.root / "runs" / config.name
        self._config, self._last = config, last
        self._planned = plan(last, self.storage)
        self._links: dict[str, str] = {}
        if (self.path / SUMMARY).exists():
            # A finished run keeps its links while it is gone through again, so that a kill leaves none of them out.
            self._links = read_links(self.path / LINKS)
            self._check()

    def dry_run(self, cluster: Cluster) -> int:
        """Say which steps are done or to do, and meet the errors that need no worker; the exit code."""
        check_inputs(self._last, self._planned, self.storage, cluster)
        print(describe(self._planned))
        return ALL_DONE if self.finished else TO_DO

    @property
    def finished(self) -> bool:
        """Whether all its steps were done when it was planned."""
        return all(step.state == DONE for step in self._planned)

    def make(self, cluster: Cluster) -> Artifacts:
        """Make what is not made yet; each artifact is linked in the folder as soon as it stands."""
        artifacts = Artifacts(self.storage)
        with full_disk_as_input_error(self.storage.root):
            text = yaml.safe_dump(self._config.model_dump(mode="json"), sort_keys=False)
            (self.path / CONFIG).write_bytes(text.encode())
            make(self._last, artifacts, cluster, self._link)
        return artifacts

    def keep(self, file: Path) -> Location:
        """Put a copy of an artifact's file into the folder; returns its place there."""
        with full_disk_as_input_error(self.storage.root):
            (self.path / file.name).write_bytes(file.read_bytes())
        return self.path / file.name

    def finish(self, scores: Mapping[str, Any], summary: BaseModel) -> Location:
        """Put all scores and, last, the summary into the folder, which is finished with it; the scores' place."""
        with full_disk_as_input_error(self.storage.root):
            _write(self.path / SCORES, scores)
            _write(self.path / SUMMARY, summary.model_dump(mode="json"))
        return self.path / SCORES

    def _link(self, label: str, artifact: Artifact[Any]) -> None:
        self._links[label] = f"{artifact.step}/{artifact.fingerprint}"
        _write(self.path / LINKS, self._links)

    def _check(self) -> None:
        linked = set(self._links.values())
        for step in self._planned:
            if step.artifact and step.artifact not in linked:
                raise InputError(
                    f"run {self._config.name!r} in {self.path} is finished and differs in {step.label!r}"
                    f" ({step.reason or 'its input files'}); give this one another name with --name"
                )


def read_links(file: Location) -> dict[str, str]:
    """The artifacts that a run holds, by the label of their step.

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

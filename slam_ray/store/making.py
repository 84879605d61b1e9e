"""A recipe's steps in the order of its calls: made one after the other, or planned without running anything."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slam_ray.store.artifact import Artifact, NotMade
from slam_ray.store.step import Artifacts, Derived, OnNodes, Step, steps_to
from slam_ray.store.storage import Storage
from slam_ray.store.workers import Cluster

Steps = Sequence[Step[Any]]
DONE = "done"  # state of a planned step


@dataclass(frozen=True)
class Planned:
    """What a run would do with a step.

    Attributes:
        label: the step's.
        state: "done", "to do", or "depends on <label>" while the result of that one is not known.
        reason: keys that differ from the most similar finished artifact.
        artifact: "<step>/<fingerprint>", "" while the step depends on another.
    """

    label: str
    state: str
    reason: str = ""
    artifact: str = ""


def plan(last: Steps, storage: Storage) -> list[Planned]:
    """Say for each step to the `last` ones whether it is done, to do, or depends on a result not known yet."""
    artifacts, planned = Artifacts(storage), []
    labels: dict[str, str] = {}  # by fingerprint
    for step in steps_to(*last):
        try:
            artifact = artifacts.find(step)
        except NotMade as missing:
            planned.append(Planned(step.label, f"depends on {labels.get(str(missing), missing)}"))
            continue
        labels[artifact.fingerprint] = step.label
        done = artifact.directory is not None
        reason = "" if done else storage.nearest_difference(artifacts.identity(step))
        name = f"{artifact.step}/{artifact.fingerprint}"
        planned.append(Planned(step.label, DONE if done else "to do", reason, name))
    return planned


def describe(planned: Sequence[Planned]) -> str:
    """A line for each step."""
    width = max(len(step.label) for step in planned)
    return "\n".join(
        f"{step.label:<{width}}  {step.state}" + (f" ({step.reason})" if step.reason else "") for step in planned
    )


def make(
    last: Steps,
    artifacts: Artifacts,
    cluster: Cluster,
    made: Callable[[str, Artifact[Any]], None] = lambda label, artifact: None,
) -> None:
    """Make what is not made yet of all steps to the `last` ones, which `artifacts` knows then.

    `made` is told of each artifact as soon as it stands. What a step that needs workers is to come after is looked at
    before it is made.
    """
    told: set[str] = set()
    for step in steps_to(*last):
        if step.notes is not None:
            _tell(artifacts[step.notes], told)
        cluster.require(
            [file for item in artifacts.inputs(step).values() if isinstance(item, OnNodes) for file in item.on_nodes]
        )
        artifact = artifacts.find(step, thorough=True)
        if artifact.directory is None:
            for check in step.checks:
                if isinstance(check, Derived):
                    _tell(artifacts[check], told)
            print(f"{step.label}: {artifact.fingerprint}", flush=True)
            cluster.release(keep=step.workers)
            artifact = artifacts.make(step, cluster)
            cluster.wait_until_ended()
            print(f"{step.label}: made in {artifacts.storage.record(artifact)['seconds']:.1f} s", flush=True)
        else:
            print(f"{step.label}: done before", flush=True)
        made(step.label, artifact)


def check_inputs(last: Steps, planned: Sequence[Planned], storage: Storage, cluster: Cluster) -> None:
    """Meet the errors of all checks on the way to the `last` steps, and of the steps that these checks read.

    What `storage` lacks is made in a folder that is thrown away. What is still to be fetched, and what rests on it, is
    left out, as is what needs workers. Where all steps are `planned` as done, no check is looked at, as in a run.
    """
    finished = all(step.state == DONE for step in planned)
    checks = list(dict.fromkeys(check for step in steps_to(*last) for check in step.checks))
    artifacts, lines = Artifacts(storage), list[str]()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(None):
        for step in steps_to(*checks):
            with suppress(NotMade):
                artifact = artifacts.find(step)
                lines += artifacts[step.notes] if step.notes else ()
                if artifact.directory is None and not step.fetches and step.workers is None:
                    artifacts.make(step, cluster, Storage(Path(folder)))
        for check in checks:
            if isinstance(check, Derived) and not finished:
                with suppress(NotMade):
                    lines += artifacts[check]
    _tell(lines, set())


def _tell(lines: Sequence[str], told: set[str]) -> None:
    """Print those lines that people were not told yet."""
    for line in lines:
        if line not in told:
            told.add(line)
            print(line, flush=True)

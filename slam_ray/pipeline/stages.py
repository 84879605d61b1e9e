"""A recipe as a list of stages: run them one after the other, or plan them without running anything."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slam_ray.config import ExecutionConfig
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.step import Artifact, NotMade, OnNodes, Step
from slam_ray.pipeline.storage import Storage

Done = Mapping[str, Artifact[Any]]


@dataclass(frozen=True)
class Stage:
    """A step of a recipe under its title; `build` gets the earlier artifacts by title and may read their results.

    One that `fetches` asks a network for what is kept nowhere yet.
    """

    title: str
    build: Callable[[Done], Step[Any]]
    fetches: bool = False


@dataclass(frozen=True)
class Check:
    """What has to hold of the earlier artifacts, which need no workers, before workers are started.

    Attributes:
        look: returns lines that people should read; raises InputError, or `NotMade` where it cannot tell yet.
    """

    look: Callable[[Done], Sequence[str]]


Stages = Sequence[Stage | Check]


@dataclass(frozen=True)
class Planned:
    """What a run would do with a stage.

    Attributes:
        title: the stage's.
        state: "done", "to do", or "depends on <title>" while the result of that one is not known.
        reason: keys that differ from the most similar finished artifact.
        step: name of the step, "" while it depends on another.
        fingerprint: identity of the step, "" while it depends on another.
    """

    title: str
    state: str
    reason: str = ""
    step: str = ""
    fingerprint: str = ""


class _Known(dict[str, Artifact[Any]]):
    def __missing__(self, title: str) -> Artifact[Any]:
        raise NotMade(title)


def plan(stages: Stages, storage: Storage) -> list[Planned]:
    """Say for each stage whether it is done, to do, or depends on one whose result is not known yet."""
    known, planned = _Known(), []
    titles: dict[str, str] = {}
    for stage in stages:
        if isinstance(stage, Check):
            continue
        try:
            step = stage.build(known)
        except NotMade as missing:
            planned.append(Planned(stage.title, f"depends on {titles.get(missing.what, missing.what)}"))
            continue
        titles[step.fingerprint] = stage.title
        known[stage.title] = artifact = storage.find(step)
        done = artifact.directory is not None
        reason = "" if done else storage.nearest_difference(step)
        planned.append(Planned(stage.title, "done" if done else "to do", reason, step.name, step.fingerprint))
    return planned


def describe(planned: Sequence[Planned]) -> str:
    """A line for each stage."""
    width = max(len(stage.title) for stage in planned)
    return "\n".join(
        f"{stage.title:<{width}}  {stage.state}" + (f" ({stage.reason})" if stage.reason else "") for stage in planned
    )


def run(
    stages: Stages,
    storage: Storage,
    context: Context,
    made: Callable[[str, Artifact[Any]], None] = lambda title, artifact: None,
) -> dict[str, Artifact[Any]]:
    """Make what is not made yet, in order; `made` is told of each artifact as soon as it stands.

    Checks are made once workers are needed.
    """
    done: dict[str, Artifact[Any]] = {}
    checks: list[Check] = []
    told: set[str] = set()
    for stage in stages:
        if isinstance(stage, Check):
            checks.append(stage)
            continue
        step = stage.build(done)
        _say([note for note in step.notes if note not in told])
        told |= set(step.notes)
        context.require([file for item in step.inputs.values() if isinstance(item, OnNodes) for file in item.on_nodes])
        artifact = storage.find(step, thorough=True)
        if artifact.directory is None:
            while checks and step.workers is not None:
                _say(checks.pop(0).look(done))
            print(f"{stage.title}: {step.fingerprint}", flush=True)
            context.release(keep=step.workers)
            artifact = storage.make(step, context)
            context.settle()
            print(f"{stage.title}: made in {storage.record(artifact)['seconds']:.1f} s", flush=True)
        else:
            print(f"{stage.title}: done before", flush=True)
        done[stage.title] = artifact
        made(stage.title, artifact)
    return done


def without_workers(stages: Stages) -> Stages:
    """The first stages, which need no Ray: up to the last check."""
    last = max((place for place, stage in enumerate(stages) if isinstance(stage, Check)), default=-1)
    return stages[: last + 1]


def try_out(stages: Stages, storage: Storage) -> None:
    """Meet the errors of cheap stages that need no Ray, and of checks.

    What `storage` lacks is made in a folder that is thrown away. What is still to be fetched, and what rests on it, is
    left out.
    """
    known, said = _Known(), list[str]()
    with tempfile.TemporaryDirectory() as folder, Context(ExecutionConfig()) as context, redirect_stdout(None):
        for stage in stages:
            try:
                if isinstance(stage, Check):
                    said += stage.look(known)
                    continue
                step = stage.build(known)
            except NotMade:
                continue
            said += [note for note in step.notes if note not in said]
            artifact = storage.find(step)
            if artifact.directory is None and not stage.fetches:
                artifact = Storage(Path(folder)).make(step, context)
            known[stage.title] = artifact
    _say(said)


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        print(line, flush=True)

"""A recipe as a list of stages: run them one after the other, or plan them without running anything."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slam_ray.config import ExecutionConfig
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.step import Artifact, NotMade, Step
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


def plan(stages: Sequence[Stage], storage: Storage) -> list[Planned]:
    """Say for each stage whether it is done, to do, or depends on one whose result is not known yet."""
    known, planned = _Known(), []
    titles: dict[str, str] = {}
    for stage in stages:
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
    stages: Sequence[Stage],
    storage: Storage,
    context: Context,
    made: Callable[[str, Artifact[Any]], None] = lambda title, artifact: None,
) -> dict[str, Artifact[Any]]:
    """Make what is not made yet, in order; `made` is told of each artifact as soon as it stands."""
    done: dict[str, Artifact[Any]] = {}
    for stage in stages:
        step = stage.build(done)
        artifact = storage.find(step, thorough=True)
        if artifact.directory is None:
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


def try_out(stages: Sequence[Stage], storage: Storage) -> None:
    """Meet the errors of cheap stages that need no Ray: make what `storage` lacks in a folder that is thrown away.

    What is still to be fetched, and what rests on it, is left out.
    """
    known = _Known()
    with tempfile.TemporaryDirectory() as folder, Context(ExecutionConfig()) as context, redirect_stdout(None):
        for stage in stages:
            try:
                step = stage.build(known)
            except NotMade:
                continue
            artifact = storage.find(step)
            if artifact.directory is None and not stage.fetches:
                artifact = Storage(Path(folder)).make(step, context)
            known[stage.title] = artifact

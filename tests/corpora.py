"""Corpora in tests: steps made without Ray, sources read as a step reads them, and the tables of cases."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel

from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import CorporaConfig, ExecutionConfig, LanguageConfig, SourceConfig, Sources
from slam_ray.corpora.hub import fetch_corpora_steps
from slam_ray.corpora.languages import KNOWN, Languages
from slam_ray.corpora.sources import Corpus, Source, opened, read
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Artifacts, Derived, Step, steps_to
from slam_ray.store.storage import Storage
from tests.published import FIXTURES

R = TypeVar("R", bound=BaseModel)


def made(step: Step[R], folder: Path) -> Artifact[R]:
    """The step's artifact in the storage `folder`, in which all steps that it rests on are made too."""
    return _make_to(step, folder)[step]


def fingerprint(step: Step[Any], folder: Path) -> str:
    """The step's; what it rests on is made."""
    artifacts = Artifacts(Storage(folder))
    for each in steps_to(step):
        artifacts.find(each)
    return artifacts[step].fingerprint


def source(sources: Sources, key: str = "corpora.own", languages: Languages = KNOWN) -> Source:
    """The only one of these sources, which is on this machine."""
    (found,) = opened(sources, key, {}, languages)
    return found.value(Artifacts(Storage(Path("/nowhere"))))


def fetched_source(config: SourceConfig, folder: Path, *languages: LanguageConfig) -> Source:
    """A source on the Hub that was fetched into the storage `folder`, where these languages were added."""
    corpora = CorporaConfig(benchmarks={"own": config}, languages=("en", *languages) if languages else None)
    steps = fetch_corpora_steps(corpora)
    (found,) = opened(config, "corpora.benchmarks.own", steps, Languages.of(corpora))
    return _make_to(found, folder)[found]


def corpus(sources: Sources, kind: Any, key: str = "corpora.own") -> Corpus[Any]:
    """What is read from sources on this machine."""
    artifacts = Artifacts(Storage(Path("/nowhere")))
    return read([artifacts[each] for each in opened(sources, key, {})], kind)


def records(sources: Sources, kind: Any, key: str = "corpora.own") -> list[Any]:
    """The records of a corpus."""
    found: list[Any] = corpus(sources, kind, key).records
    return found


def cases(name: str) -> Any:
    """The table of cases in fixtures/cases."""
    return yaml.safe_load((FIXTURES / "cases" / f"{name}.yaml").read_text(encoding="utf-8"))


def _make_to(last: Step[Any] | Derived[Any], folder: Path) -> Artifacts:
    artifacts = Artifacts(Storage(folder))
    with RayCluster(ExecutionConfig()) as cluster:
        for each in steps_to(last):
            artifacts.make(each, cluster)
    return artifacts

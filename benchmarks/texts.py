"""The texts that benchmarks read: sources of one's own through the project's readers, and a fixed sample of them."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ENGLISH, RunConfig
from slam_ray.corpora import Pair, Prepared, Question, pairs_step, questions_step, read_pairs, read_questions
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.prepared_files import CORPUS_FILE, write
from slam_ray.corpora.sources import opened, read
from slam_ray.store.artifact import Artifact
from slam_ray.store.local import LocalLocation
from slam_ray.store.making import make
from slam_ray.store.step import Artifacts
from slam_ray.store.storage import Storage


@dataclass(frozen=True)
class QuestionTask:
    """Questions, and the configuration under which both sides of a benchmark read them."""

    config: RunConfig
    questions: Artifact[Prepared]


def add_model(parser: argparse.ArgumentParser) -> None:
    """The arguments that every benchmark of a model has."""
    parser.add_argument("model", help="folder of a checkpoint in the Hugging Face layout")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--workers", type=int, default=2, help="of one CPU core each")
    parser.add_argument("--repeats", type=int, default=3, help="of each side")
    parser.add_argument("--keep", action="store_true", help="keep the figures in benchmarks/baselines")


def add_source(parser: argparse.ArgumentParser, what: str, format_: str) -> None:
    """The arguments that name a source: --WHAT PATH and --WHAT-format."""
    parser.add_argument(f"--{what}", required=True, help=f"file or folder that the {what} are read from")
    parser.add_argument(f"--{what}-format", default=format_, help="slam_ray/corpora/formats")


def config_of(storage: Path, sources: dict[str, tuple[str, str]], **sections: Any) -> RunConfig:
    """A run's configuration with the defaults, but for these sections; sources are (path, format) by key."""
    corpora: dict[str, Any] = {key: {"path": path, "format": format_} for key, (path, format_) in sources.items()}
    corpora["benchmarks"] = {"unread": next(iter(corpora.values()))}  # a run needs one
    return RunConfig.model_validate({"name": "benchmark", "storage": str(storage), "corpora": corpora, **sections})


def questions_of(config: RunConfig) -> Artifact[Prepared]:
    """All parallel questions of `corpora.questions`."""
    step = questions_step(config)
    artifacts = Artifacts(Storage.of(config))
    with RayCluster(config.execution) as cluster:
        make([step], artifacts, cluster)
    return artifacts[step]


def pairs_of(config: RunConfig, count: int, seed: int = 0) -> Artifact[Prepared]:
    """So many pairs of `corpora.pairs`, drawn from all that cleaning leaves."""
    artifacts, known = Artifacts(Storage.of(config)), Languages.of(config.corpora)
    sources = [artifacts[each] for each in opened(config.corpora.pairs, "corpora.pairs", {}, known)]
    spoken = dict.fromkeys((pair.language for pair in read(sources, Pair).records), 0)
    # Of the questions that are counted a step of pairs wants to know the languages.
    questions = Artifact("questions", "of-the-pairs", _result=Prepared(records={ENGLISH: 0, **spoken}, left_out=0))
    step = pairs_step(config, questions)
    with RayCluster(config.execution) as cluster:
        make([step], artifacts, cluster)
    pairs = read_pairs(artifacts[step])
    drawn = np.random.default_rng(seed).permutation(len(pairs))[:count]
    assert len(drawn) == count, f"only {len(pairs)} pairs are there"
    return _sample(Path(config.storage) / f"{count}-pairs", Pair, [pairs[number] for number in drawn])


def first_questions(config: RunConfig, questions: Artifact[Prepared], count: int) -> Artifact[Prepared]:
    """The first so many questions of each language."""
    kept: list[Question] = []
    for language in questions.result.languages:
        kept += [each for each in read_questions(questions) if each.language == language][:count]
    return _sample(Path(config.storage) / f"{count}-questions", Question, kept)


def _sample(folder: Path, kind: type[Any], records: list[Any]) -> Artifact[Prepared]:
    folder.mkdir(parents=True)
    write(folder / CORPUS_FILE, kind, records)
    languages = list(dict.fromkeys(record.language for record in records))
    result = Prepared(records=dict.fromkeys(languages, len(records) // len(languages)), left_out=0)
    return Artifact(folder.name, folder.name, LocalLocation(folder), {CORPUS_FILE: ""}, result)

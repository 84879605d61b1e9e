"""Any model on benchmarks: the steps of the main recipe that generate and score, and so their artifacts too."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slam_ray.config import InputError, RunConfig, default_storage, nearest, path_of, resolved
from slam_ray.corpora.hub import fetch_corpora_steps
from slam_ray.corpora.hub_benchmarks import BENCHMARKS
from slam_ray.evaluation import Scores
from slam_ray.models.hub import pretrained
from slam_ray.recipes.benchmarks import benchmarks_of, responses_of, scores_of
from slam_ray.recipes.checks import texts_check
from slam_ray.store.step import Step

PREFIX = "corpora.benchmarks."


def evaluation_config(model: str, benchmarks: str, overrides: Mapping[str, str]) -> RunConfig:
    """The configuration of an evaluation.

    Args:
        model: a folder, or a name on the Hub.
        benchmarks: names of published ones, separated by commas; "" for none.
        overrides: as on the command line; they may add benchmarks and say where published ones lie.

    Raises:
        InputError: no such model or benchmark, no benchmark at all, an unknown key or value.
    """
    published = [name.strip() for name in benchmarks.split(",") if name.strip()]
    own = [key.removeprefix(PREFIX).split(".")[0] for key in overrides if key.startswith(PREFIX)]
    for name in published:
        if name not in BENCHMARKS and name not in own:
            raise InputError(
                f"--benchmarks: unknown benchmark {name!r}: {nearest(name, BENCHMARKS)}"
                f" (one of your own: --{PREFIX}{name} FILE.jsonl)"
            )
    names = list(dict.fromkeys([*published, *own]))
    if not names:
        raise InputError(f"nothing to evaluate on: give --benchmarks mgsm,msvamp or --{PREFIX}NAME FILE.jsonl")
    where = _model_of(model)
    title = "-".join([Path(model).name, *names])
    values = {
        "name": re.sub(r"[^a-zA-Z0-9._-]+", "-", title).lstrip("._-")[:100],
        "storage": default_storage(),
        "model": where,
        "corpora": {
            "benchmarks": {
                name: BENCHMARKS[name].model_dump(exclude_unset=True) if name in BENCHMARKS else {} for name in names
            }
        },
    }
    return resolved(values, overrides, model)


def evaluation_steps(config: RunConfig) -> dict[str, Step[Scores]]:
    """The scores of the model on each benchmark, by its name."""
    benchmarks = benchmarks_of(config, fetch_corpora_steps(config.corpora))
    model = pretrained(config.model)
    base = replace(model, after=[texts_check(config, model, [*benchmarks.values()])])
    return scores_of(config, benchmarks, responses_of(config, benchmarks, base, "base"), "base")


def _model_of(model: str) -> dict[str, Any]:
    folder = path_of(model, "MODEL")
    if folder.exists():
        return {"path": str(folder)}
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model):
        return {"hub": model}
    raise InputError(f"no such folder: {model}; give one that holds a checkpoint, or a name on the Hub (owner/name)")

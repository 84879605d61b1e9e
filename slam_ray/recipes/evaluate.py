"""Any model on benchmarks: the steps of the main recipe that generate and score, and so their artifacts too."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from slam_ray.config import InputError, RunConfig, default_storage, nearest, path_of, resolved
from slam_ray.corpora.published import BENCHMARKS
from slam_ray.pipeline.stages import Check, Stage
from slam_ray.recipes.slam import BASE, benchmark_prompts, fetch_stages, generate, model_stages, problem_stages, score
from slam_ray.recipes.texts import texts_check

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
    place = _place(model)
    title = "-".join([Path(model).name, *names])
    values = {
        "name": re.sub(r"[^a-zA-Z0-9._-]+", "-", title).lstrip("._-")[:100],
        "storage": default_storage(),
        "model": place,
        "corpora": {
            "benchmarks": {
                name: BENCHMARKS[name].model_dump(exclude_unset=True) if name in BENCHMARKS else {} for name in names
            }
        },
    }
    return resolved(values, overrides, model)


def evaluation_stages(config: RunConfig) -> list[Stage | Check]:
    """All stages of an evaluation; the last ones are "score base <benchmark>"."""
    fetching, base = model_stages(config.model)
    names = list(config.corpora.benchmarks)
    return [
        *fetch_stages(config.corpora),
        *problem_stages(config),
        *fetching,
        texts_check(config, base, benchmark_prompts(config), tuning=False),
        *(Stage(f"generate {BASE} {name}", partial(generate, config, base, BASE, name)) for name in names),
        *(Stage(f"score {BASE} {name}", partial(score, config.evaluation, BASE, name)) for name in names),
    ]


def _place(model: str) -> dict[str, Any]:
    folder = path_of(model, "MODEL")
    if folder.exists():
        return {"path": str(folder)}
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model):
        return {"hub": model}
    raise InputError(f"no such folder: {model}; give one that holds a checkpoint, or a name on the Hub (owner/name)")

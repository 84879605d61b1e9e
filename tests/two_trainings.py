"""A recipe of two trainings, on one corpus of translations and then on another: `two_trainings.py A.yaml B.yaml`."""

import sys
from dataclasses import replace

from slam_ray.activations import count_step
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import RunConfig, load_config
from slam_ray.corpora import pairs_step
from slam_ray.models.hub import pretrained
from slam_ray.models.reference import tuned
from slam_ray.recipes.checks import settings_check, texts_check
from slam_ray.recipes.texts import texts_of
from slam_ray.selection import select_step
from slam_ray.store.runs import Run
from slam_ray.store.step import Step
from slam_ray.training import TrainResult, train_step


def two_trainings(config: RunConfig, then: RunConfig) -> Step[TrainResult]:
    """Tune the selected layers on the pairs of `config`, and the tuned model on those of `then`."""
    texts, model = texts_of(config), pretrained(config.model)
    checks = [settings_check(config, model), texts_check(config, model, [*texts.benchmarks.values()], texts)]
    base = replace(model, after=[*texts.checks, *checks])
    layers = select_step(config.selection, count_step(config, texts.questions, base))
    first = train_step(config, texts.pairs, base, layers).labelled("first training")
    more = pairs_step(then, texts.questions, texts.fetched).labelled("further pairs")
    return train_step(then, more, tuned(base, first), layers).labelled("second training")


if __name__ == "__main__":
    one, other = (load_config(file, {}) for file in sys.argv[1:])
    run = Run(one, [two_trainings(one, other)])
    with RayCluster(one.execution, storage=run.storage.root) as cluster:
        run.make(cluster)

"""The one actor of a search that all trials meet at: it says whose turn it is, and evaluates what they trained.

It lives with the driver and is known by its name, so that nothing that Tune keeps on disk holds a handle of a Ray that
has ended. It has a thread for every trial under way, each either waiting for its turn or at work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.evaluation import generate_step, score_step
from slam_ray.evaluation.accuracy import ExtractorScores
from slam_ray.models.reference import tuned
from slam_ray.search.schedule import Capacity, Schedule
from slam_ray.search.shared import Shared
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Artifacts, Step
from slam_ray.store.storage import Storage
from slam_ray.training import TrainResult

NAME = "slam_ray-search"


class Coordinator(Schedule):
    """The actor's class."""

    def __init__(self, shared: Shared, capacity: Capacity) -> None:
        super().__init__(capacity)
        self._shared = shared
        self._storage = Storage.of(shared.config)
        self._cluster = RayCluster(shared.config.execution)
        self._cluster.workers("engines")

    def evaluate(self, training: Artifact[TrainResult], whole: bool) -> list[ExtractorScores]:
        """Headline scores of the untuned and of the tuned model; an evaluation that is made already is not repeated.

        Args:
            training: it made the tuned model.
            whole: evaluate on all problems to choose on, not on those of a rung.
        """
        config, base = self._shared.config, self._shared.base
        benchmark = self._shared.validation if whole else self._shared.rung
        artifacts = Artifacts(self._storage)
        models = [base, tuned(base, training)]
        responses = [generate_step(config, benchmark.prompts, benchmark.problems, model) for model in models]
        scores = [score_step(config.evaluation, benchmark.problems, each) for each in responses]
        steps: list[Step[Any]] = [*responses, *scores]
        if not all(artifacts.find(step).directory for step in steps):
            with self.evaluation():
                try:
                    for step in steps:
                        artifacts.make(step, self._cluster)
                except BaseException:
                    self._cluster.release()
                    raise
                if not self.engines_wanted:
                    self._cluster.release()
        return [artifacts[step].result.headline for step in scores]

    def close(self) -> None:
        """End the engines."""
        self._cluster.release()


@contextmanager
def coordinator_at_work(shared: Shared, capacity: Capacity) -> Iterator[None]:
    """The coordinator on this node, for the block."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    remote: Any = ray.remote(Coordinator)
    # More threads than trials: one that gives its turn back must never wait behind those that want one.
    options = {"num_cpus": 0, "max_concurrency": 4 * capacity.trials, "scheduling_strategy": here, "name": NAME}
    actor = remote.options(**options).remote(shared, capacity)
    try:
        yield
        ray.get(actor.close.remote())
    finally:
        ray.kill(actor)


def coordinator() -> Any:
    """The handle of the coordinator at work."""
    return ray.get_actor(NAME)

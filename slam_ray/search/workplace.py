"""The one actor of a search that all trials meet at: it gives turns and evaluates trained parts.

It lives with the driver and is known by its name, so that nothing that Tune keeps on disk holds a handle of a Ray that
is gone. It has a thread for every trial under way, each either waiting for its turn or at work.
"""

from collections.abc import Sequence
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from slam_ray.config import PromptsConfig, RunConfig
from slam_ray.corpora import Prepared
from slam_ray.evaluation import Scores, generate_step, score_step
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.step import Artifact, Step
from slam_ray.pipeline.storage import Storage
from slam_ray.search.turns import Room, Turns

NAME = "slam_ray-search"


class Workplace:
    """The actor's class."""

    def __init__(self, config: RunConfig, room: Room) -> None:
        self._config, self._room = config, room
        self._storage = Storage.of(config)
        self._context = Context(config.execution)
        self._context.workers("engines")
        self._turns = Turns(room)

    def begin_training(self, trial: str, training: str) -> None:
        """Wait for the turn of a trial to train what has the fingerprint `training` (see `Turns`)."""
        self._turns.begin_training(trial, training)

    def end_training(self, trial: str) -> None:
        """The training is over, however it ended."""
        self._turns.end_training(trial)

    def leave(self, trial: str) -> None:
        """The trial's driver is gone."""
        self._turns.leave(trial)

    def evaluate(
        self, models: Sequence[ModelRef], prompts: PromptsConfig, problems: Artifact[Prepared]
    ) -> list[Scores]:
        """Scores of each model on the problems; asks only what was not asked before."""
        found = [self._scores(model, prompts, problems) for model in models]
        if None not in found:
            return [scores for scores in found if scores is not None]
        with self._turns.evaluation():
            try:
                scores = [self._evaluated(model, prompts, problems) for model in models]
            except BaseException:
                self._context.release()
                raise
            if not self._turns.engines_wanted:
                self._context.release()
            return scores

    def close(self) -> None:
        """End the engines."""
        self._context.release()

    def _generate(self, model: ModelRef, prompts: PromptsConfig, problems: Artifact[Prepared]) -> Step[Any]:
        config = self._config
        return generate_step(config.evaluation, prompts, config.model.dtype, problems, model, config.execution)

    def _scores(self, model: ModelRef, prompts: PromptsConfig, problems: Artifact[Prepared]) -> Scores | None:
        responses = self._storage.find(self._generate(model, prompts, problems))
        scores = self._storage.find(score_step(self._config.evaluation, problems, responses))
        return None if scores.directory is None else scores.result

    def _evaluated(self, model: ModelRef, prompts: PromptsConfig, problems: Artifact[Prepared]) -> Scores:
        responses = self._made(self._generate(model, prompts, problems))
        return self._made(score_step(self._config.evaluation, problems, responses)).result

    def _made(self, step: Step[Any]) -> Artifact[Any]:
        found = self._storage.find(step)
        return self._storage.make(step, self._context) if found.directory is None else found


def start_workplace(config: RunConfig, room: Room) -> Any:
    """Start it on this node; returns its handle."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    remote: Any = ray.remote(Workplace)
    # More threads than trials: one that gives its turn back must never wait behind those that want one.
    options = {"num_cpus": 0, "max_concurrency": 4 * room.trials, "scheduling_strategy": here, "name": NAME}
    return remote.options(**options).remote(config, room)


def workplace() -> Any:
    """The handle, found by name."""
    return ray.get_actor(NAME)

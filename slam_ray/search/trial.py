"""A trial: the driver of one selection's ordinary steps, evaluated at every rung, in a process that Ray Tune starts.

It reserves next to no CPU: the workers of its training and the engines run beside it, by turns (`schedule.py`).
"""

import ray
from pydantic import BaseModel
from ray import tune
from ray.tune.integration.ray_train import TuneReportCallback

from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ENGLISH, RunConfig
from slam_ray.reporting.search import keeps_english
from slam_ray.search.coordinator import coordinator
from slam_ray.search.shared import Shared
from slam_ray.search.space import Point
from slam_ray.selection import select_step
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Artifacts, Step
from slam_ray.store.storage import Storage
from slam_ray.training import TrainResult, train_step

TIME, ACCURACY, OBJECTIVE = "rung_time", "non_english", "objective"


class Report(BaseModel):
    """What a trial reports to Tune at a rung; `TrialResult` describes the fields that it has too.

    Attributes:
        non_english: it also decides which trials go on.
        training: fingerprint of the whole training.
        rung_time: training so far in units of the first rung's: 1 at the first rung.
        objective: what the sampler learns from (see `objective`). Before the end it is `non_english`: on the few
            problems of a rung the bound would be less than one problem.
        rungs: time -> `non_english` of every rung so far.
    """

    share: float
    layers: tuple[int, ...]
    trained_share: float
    non_english: float
    english: float
    english_loss: float
    seconds: float
    training: str
    rung_time: int
    objective: float
    rungs: dict[str, float]


def objective(non_english: float, english_loss: float, bound: float) -> float:
    """Non-English accuracy within the bound on the loss of English; beyond it minus the excess.

    So a point within the bound is better than any beyond it, and of these the one that is nearer (Deb's feasibility
    rule, 2000); a sampler reads no more than the order.
    """
    return non_english if keeps_english(english_loss, bound) else bound - english_loss


def rung_times(rungs: int, reduction_factor: int) -> list[int]:
    """Training time at each rung in units of the first one's: 1, factor, factor squared, ..."""
    return [reduction_factor**rung for rung in range(rungs)]


def run_trial(point: Point, shared: Shared) -> None:
    """Train the point's selection up to each rung and report; Tune ends the process where ASHA stops the trial."""
    trial = Trial(tune.get_context().get_trial_name(), shared.space.apply(shared.config, point), shared)
    times, whole = trial.times, trial.find(trial.times[-1])
    if whole.directory is not None:
        times = times[-1:]  # all of it is trained already, so that stopping early would save nothing
    part, rungs = None, dict[str, float]()
    for time in times:
        part = trial.trained(time, part)
        at_end = time == times[-1]
        before, after = ray.get(coordinator().evaluate.remote(part, at_end))
        non_english, english = after.avg_non_en, after.languages[ENGLISH].accuracy
        loss = before.languages[ENGLISH].accuracy - english
        rungs[str(time)] = non_english
        report = Report(
            share=time / times[-1],
            layers=trial.layers.result.layers,
            trained_share=part.result.trained_share,
            non_english=non_english,
            english=english,
            english_loss=loss,
            seconds=trial.seconds(time),
            training=whole.fingerprint,
            rung_time=time,
            objective=objective(non_english, loss, shared.config.search.english_loss) if at_end else non_english,
            rungs=rungs,
        )
        tune.report(report.model_dump())


class Trial:
    """The steps of one trial; times are those of `rung_times`."""

    def __init__(self, name: str, config: RunConfig, shared: Shared) -> None:
        self._name, self._config, self._shared = name, config, shared
        self._cluster = RayCluster(config.execution)
        self._artifacts = Artifacts(Storage.of(config))
        self.times = rung_times(config.search.rungs, config.search.reduction_factor)
        self.layers = self._artifacts.make(select_step(config.selection, shared.counts), self._cluster)

    def find(self, time: int) -> Artifact[TrainResult]:
        """What was trained up to a rung, by this trial or another."""
        return self._artifacts.find(self._train(time))

    def trained(self, time: int, earlier: Artifact[TrainResult] | None) -> Artifact[TrainResult]:
        """Train when it is this trial's turn; what another trial trains meanwhile is waited for and found."""
        found = self.find(time)
        if found.directory is None:
            ray.get(coordinator().begin_training.remote(self._name, found.fingerprint))
            try:
                found = self._artifacts.make(self._train(time, earlier, log=True), self._cluster)
            finally:
                ray.get(coordinator().end_training.remote(self._name))
        return found

    def seconds(self, time: int) -> float:
        """How long the parts up to a rung took, of those that were trained."""
        parts = [self.find(each) for each in self.times if each <= time]
        storage = self._artifacts.storage
        return sum(storage.record(part)["seconds"] for part in parts if part.directory is not None)

    def _train(self, time: int, earlier: Artifact[TrainResult] | None = None, log: bool = False) -> Step[TrainResult]:
        """The training of the selected layers up to a rung; with `log` Tune is told its losses."""
        share, callbacks = time / self.times[-1], [TuneReportCallback()] if log else []
        pairs, base = self._shared.pairs, self._shared.base
        return train_step(self._config, pairs, base, self.layers, share=share, earlier=earlier, callbacks=callbacks)

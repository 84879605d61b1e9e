"""A trial: the driver of one selection's ordinary steps, judged at every rung, in a process that Ray Tune starts.

It holds no CPU but its token: the training's workers and the engines are placed beside it, by turns (`turns.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray
from pydantic import BaseModel
from ray import tune
from ray.tune.integration.ray_train import TuneReportCallback

from slam_ray.config import ENGLISH, PromptsConfig, RunConfig
from slam_ray.corpora import Prepared
from slam_ray.corpora.languages import Languages
from slam_ray.evaluation import Scores
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.step import Artifact, R, Step
from slam_ray.pipeline.storage import Storage
from slam_ray.search.result import within
from slam_ray.search.space import Point, Space
from slam_ray.search.workplace import workplace
from slam_ray.selection import select_step
from slam_ray.training import TrainResult, train_step

ACCURACY, OBJECTIVE, TIME = "rung_accuracy", "objective", "rung_time"


@dataclass(frozen=True)
class Setup:
    """What all trials share.

    Attributes:
        config: of the run; a point of `space` changes it.
        counts: the one activation count.
        pairs: what trials train on.
        base: the model to improve.
        prompts: for the problems.
        problems: what the end of a training is judged on.
        rung_problems: what the rungs before it are judged on.
    """

    config: RunConfig
    space: Space
    counts: Artifact[Any]
    pairs: Artifact[Prepared]
    base: ModelRef
    prompts: PromptsConfig
    problems: Artifact[Prepared]
    rung_problems: Artifact[Prepared]


class Report(BaseModel):
    """What a trial says at a rung; accuracies in percent, losses in points, by the headline extractor.

    Attributes:
        rung_time: training so far in units of the first rung's: 1 at the first rung.
        share: of the training that is done.
        layers: the tuned layers, as a text.
        training: fingerprint of the whole training.
        trained_share: of the model's parameters.
        english: accuracy on the rung's problems.
        non_english: the same over the other languages.
        english_loss: against the untuned model on the same problems.
        rung_accuracy: `non_english`, which decides who goes on.
        objective: what the sampler learns from: see `objective`. Before the end it is `rung_accuracy`: on the few
            problems of a rung the bound would be less than one problem.
        seconds: that the training took so far, starts included, whoever trained it.
        rungs: time -> `rung_accuracy` of every rung so far.
    """

    rung_time: int
    share: float
    layers: str
    training: str
    trained_share: float
    english: float
    non_english: float
    english_loss: float
    rung_accuracy: float
    objective: float
    seconds: float
    rungs: dict[str, float]


def objective(non_english: float, english_loss: float, bound: float) -> float:
    """Non-English accuracy within the bound on the loss of English; beyond it minus the excess.

    So a point within the bound is better than any beyond it, and of these the one that is nearer (Deb's feasibility
    rule, 2000); a sampler reads no more than the order.
    """
    return non_english if within(english_loss, bound) else bound - english_loss


def rung_times(rungs: int, reduction_factor: int) -> list[int]:
    """Training time at each rung in units of the first one's: 1, factor, factor squared, ..."""
    return [reduction_factor**rung for rung in range(rungs)]


def run_trial(point: Point, setup: Setup) -> None:
    """Train the point's selection up to each rung and report; Tune ends the process where ASHA stops the trial."""
    config = setup.space.apply(setup.config, point)
    trial = Trial(tune.get_context().get_trial_name(), config, setup)
    times = rung_times(config.search.rungs, config.search.reduction_factor)
    if trial.find(1.0).directory is not None:
        times = times[-1:]  # trained as a whole already: there is nothing to be spared
    part, rungs = None, dict[str, float]()
    for time in times:
        share = time / times[-1]
        part = trial.trained(share, part)
        before, after = trial.evaluated(part, setup.problems if share == 1 else setup.rung_problems)
        loss = before.english - after.english
        bounded = objective(after.others, loss, config.search.english_loss)
        rungs[str(time)] = after.others
        report = Report(
            rung_time=time,
            share=share,
            layers=" ".join(map(str, trial.layers)),
            training=trial.train(1.0).fingerprint,
            trained_share=part.result.trained_share,
            english=after.english,
            non_english=after.others,
            english_loss=loss,
            rung_accuracy=after.others,
            objective=bounded if share == 1 else after.others,
            seconds=trial.seconds(share),
            rungs=rungs,
        )
        tune.report(report.model_dump())


@dataclass(frozen=True)
class Accuracy:
    """Percent, in English and on average over the other languages."""

    english: float
    others: float

    @classmethod
    def of(cls, scores: Scores) -> "Accuracy":
        """Of a benchmark with English and other languages."""
        assert scores.headline.avg_non_en is not None
        return cls(scores.headline.languages[ENGLISH].accuracy, scores.headline.avg_non_en)


class Trial:
    """The steps of one trial."""

    def __init__(self, name: str, config: RunConfig, setup: Setup) -> None:
        self._name, self._config, self._setup = name, config, setup
        self._storage = Storage.of(config)
        self._context = Context(config.execution)
        self._workplace = workplace()
        self.layers: Sequence[int] = self._made(select_step(config.selection, setup.counts)).result.layers

    def train(
        self,
        share: float,
        earlier: Artifact[TrainResult] | None = None,
        callbacks: Sequence[TuneReportCallback] = (),
    ) -> Step[TrainResult]:
        """The training of the selected layers up to a share of it."""
        config, setup = self._config, self._setup
        return train_step(
            config.training, config.prompts, config.model.dtype, setup.pairs, setup.base, self.layers, config.execution,
            share, earlier, callbacks, Languages.of(config.corpora),
        )  # fmt: skip

    def find(self, share: float) -> Artifact[TrainResult]:
        """What was trained before, by this trial or another."""
        return self._storage.find(self.train(share))

    def trained(self, share: float, earlier: Artifact[TrainResult] | None) -> Artifact[TrainResult]:
        """Train when it is this trial's turn; what another trial trains meanwhile is waited for and found."""
        if self.find(share).directory is None:
            ray.get(self._workplace.begin_training.remote(self._name, self.train(share).fingerprint))
            try:
                return self._made(self.train(share, earlier, [TuneReportCallback()]))
            finally:
                ray.get(self._workplace.end_training.remote(self._name))
        return self.find(share)

    def seconds(self, share: float) -> float:
        """How long the parts up to this share took that there are."""
        search = self._config.search
        times = rung_times(search.rungs, search.reduction_factor)
        parts = [self.find(time / times[-1]) for time in times if time / times[-1] <= share]
        return sum(self._storage.record(part)["seconds"] for part in parts if part.directory is not None)

    def evaluated(self, part: Artifact[TrainResult], problems: Artifact[Prepared]) -> tuple[Accuracy, Accuracy]:
        """Accuracy of the base and of the trained part."""
        models = [self._setup.base, replace(self._setup.base, trained=part)]
        before, after = ray.get(self._workplace.evaluate.remote(models, self._setup.prompts, problems))
        return Accuracy.of(before), Accuracy.of(after)

    def _made(self, step: Step[R]) -> Artifact[R]:
        found = self._storage.find(step)
        return self._storage.make(step, self._context) if found.directory is None else found

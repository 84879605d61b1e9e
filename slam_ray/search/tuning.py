"""Ray Tune over the trials: who draws the points, who goes on, what is logged, and how a killed search goes on.

Tune keeps its state in the folder of the search and reads it back by unpickling, so no other user may write there.
"""

import json
import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ray
import yaml
from ray import tune
from ray.exceptions import RayTaskError
from ray.tune.experiment import Trial
from ray.tune.result import EXPR_PARAM_FILE
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search import BasicVariantGenerator, ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch

from slam_ray.cluster.ray_internals import enter_rung, optuna_knows
from slam_ray.config import InputError, RunConfig
from slam_ray.reporting.search import TrialResult
from slam_ray.search.coordinator import coordinator, coordinator_at_work
from slam_ray.search.directory import CONFIG, TRIALS
from slam_ray.search.schedule import DRIVER_CPUS, Capacity
from slam_ray.search.shared import Shared
from slam_ray.search.space import Point, Space, label
from slam_ray.search.trial import ACCURACY, OBJECTIVE, TIME, Report, run_trial, rung_times

TRIAL_0 = "trial-0"
# A killed driver is replaced at once and finds what was trained. So is one that failed, which soon fails again.
DRIVER_DEATHS = 2
ENVIRONMENT = {
    # Training losses are reported between the rungs; they hold no accuracy.
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # Tune's own tables; `TrialCallback` prints what happens.
    "RAY_AIR_NEW_OUTPUT": "0",
    # Ctrl-C ends the search at once; a rerun goes on.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Seconds between two savings of Tune's state. What was trained after the last one is found again.
    "TUNE_GLOBAL_CHECKPOINT_S": "2",
}


def check_loggers(config: RunConfig) -> None:
    """Raise InputError if what the trials are to be logged to cannot be reached."""
    if config.search.mlflow is not None:
        try:
            import mlflow  # noqa: F401
        except ModuleNotFoundError:
            raise InputError("search.mlflow: its client is not installed: pip install slam-ray[mlflow]") from None


def run_trials(shared: Shared, capacity: Capacity, folder: Path) -> list[TrialResult]:
    """Run all trials of the search, with Tune's folder in `folder`; returns their results in the order of drawing.

    Those that an earlier call finished stay finished. One that fails, also when it is tried again, does not end the
    search; a later call tries it again.
    """
    os.environ.update(ENVIRONMENT)
    trainable = tune.with_resources(tune.with_parameters(run_trial, shared=shared), {"cpu": DRIVER_CPUS})
    with coordinator_at_work(shared, capacity):
        path = folder / TRIALS
        if any(path.glob("experiment_state-*.json")):
            tuner = tune.Tuner.restore(str(path), trainable, restart_errored=True)
        else:
            tuner = _tuner(trainable, shared, capacity, folder)
        return _results(tuner.fit())


def _tuner(trainable: Any, shared: Shared, capacity: Capacity, folder: Path) -> tune.Tuner:
    config, space, search = shared.config, shared.space, shared.config.search
    callbacks: list[tune.Callback] = [TrialCallback(config, space)]
    if search.mlflow is not None:
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        callbacks.append(MLflowLoggerCallback(search.mlflow, experiment_name=config.name, save_artifact=True))
    # Tune counts from 1 where a searcher of others draws.
    name = partial(trial_name, first=0 if search.sampler == "tune" else 1)
    return tune.Tuner(
        trainable,
        param_space=param_space(space),
        tune_config=tune.TuneConfig(
            search_alg=_sampler(config, space, capacity.trials),
            scheduler=Halving(search.rungs, search.reduction_factor),
            # A sample is one point or, without trial 0, one round over the grid.
            num_samples=1 + (search.trials - 1) // space.grid_points,
            trial_name_creator=name,
            trial_dirname_creator=name,
        ),
        run_config=tune.RunConfig(
            name=TRIALS,
            storage_path=str(folder),
            callbacks=callbacks,
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=DRIVER_DEATHS),
        ),
    )


def param_space(space: Space) -> dict[str, Any]:
    """The space in Tune's words."""
    drawn: dict[str, Any] = {}
    for key, domain in space.domains.items():
        if domain.grid:
            drawn[key] = tune.grid_search([label(option) for option in domain.grid])
        elif domain.choice:
            drawn[key] = tune.choice([label(option) for option in domain.choice])
        elif domain.uniform:
            drawn[key] = tune.uniform(*domain.uniform)
        else:
            assert domain.loguniform
            drawn[key] = tune.loguniform(*domain.loguniform)
    return drawn


def _sampler(config: RunConfig, space: Space, at_a_time: int) -> BasicVariantGenerator | ConcurrencyLimiter:
    search = config.search
    if search.sampler == "tune":
        return BasicVariantGenerator([dict(space.trial_0)], max_concurrent=at_a_time, random_state=search.seed)
    from optuna.samplers import TPESampler

    # By default the first ten points are random, which in a small search is all of them.
    sampler = TPESampler(seed=search.seed, n_startup_trials=min(10, max(2, search.trials // 4)))
    after_trial_0 = OptunaAfterTrial0(space.trial_0, metric=OBJECTIVE, mode="max", sampler=sampler)
    return ConcurrencyLimiter(after_trial_0, max_concurrent=at_a_time)


def trial_name(trial: Trial, first: int) -> str:
    """Its number in the order of drawing, from 0; `first` is what Tune calls 0."""
    return f"trial-{int(trial.experiment_tag.partition('_')[0]) - first}"


def _results(results: tune.ResultGrid) -> list[TrialResult]:
    first_with: dict[str, int] = {}
    trials = []
    for result in sorted((results[index] for index in range(len(results))), key=_number):
        number = _number(result)
        # Of a trial that failed before its first report Tune keeps the point in this file alone.
        point = json.loads(Path(result.path, EXPR_PARAM_FILE).read_text())
        if result.error is not None:
            error = result.error.cause if isinstance(result.error, RayTaskError) else result.error
            sentence = f"{type(error).__name__}: {error}".removesuffix(": ")
            trials.append(TrialResult(number=number, point=point, state="failed", error=sentence))
            continue
        report = Report.model_validate(result.metrics)
        first = first_with.setdefault(report.training, number)
        trials.append(
            TrialResult(
                number=number,
                point=point,
                state="finished" if report.share == 1 else "stopped",
                same_training_as=None if first == number else first,
                **report.model_dump(include=set(TrialResult.model_fields)),
            )
        )
    return trials


def _number(result: tune.Result) -> int:
    # Tune adds to the name of a folder where a failed trial has left one of that name.
    return int(re.findall(r"^trial-(\d+)", Path(result.path).name)[0])


class OptunaAfterTrial0(OptunaSearch):
    """Optuna, after the point of trial 0, which it may not be able to draw and so does not learn from."""

    def __init__(self, trial_0: Point, **options: Any) -> None:
        super().__init__(**options)
        self._trial_0 = trial_0
        self._first: str | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The point of trial 0 first, then Optuna's."""
        if self._first in (None, trial_id):
            self._first = trial_id
            return dict(self._trial_0)
        suggested: dict[str, Any] | None = super().suggest(trial_id)
        return suggested

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Learn nothing yet: Optuna reads what a trial came to, and prunes none."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Learn what a drawn trial came to; one that is tried again has a new id, which Optuna does not know."""
        if optuna_knows(self, trial_id):
            super().on_trial_complete(trial_id, result, error)


class Halving(ASHAScheduler):
    """Asynchronous successive halving on the accuracy at each rung, but trial 0, the yardstick, is never stopped."""

    def __init__(self, rungs: int, reduction_factor: int) -> None:
        last = rung_times(rungs, reduction_factor)[-1]
        super().__init__(TIME, ACCURACY, "max", max_t=last, reduction_factor=reduction_factor)

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Enter a trial, with the rungs that it reached before a kill: Tune keeps none of them."""
        super().on_trial_add(tune_controller, trial)
        for time, accuracy in (trial.last_result or {}).get("rungs", {}).items():
            enter_rung(self, trial, int(time), accuracy)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Whether a trial goes on."""
        decision: str = super().on_trial_result(tune_controller, trial, result)
        return TrialScheduler.CONTINUE if str(trial) == TRIAL_0 else decision


class TrialCallback(tune.Callback):
    """Prints what trials do, writes their configurations beside their logs, and frees what ended drivers had."""

    def __init__(self, config: RunConfig, space: Space) -> None:
        self._config, self._space = config, space

    def on_trial_start(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any) -> None:
        """Write the trial's whole configuration."""
        config = self._space.apply(self._config, trial.config)
        values = config.model_dump(mode="json", exclude={"search"})
        Path(str(trial.local_path), CONFIG).write_text(yaml.safe_dump(values, sort_keys=False))
        settings = ", ".join(f"{key.partition('.')[2]} {value}" for key, value in trial.config.items())
        print(f"{trial}: {settings}{' (the configuration itself)' if str(trial) == TRIAL_0 else ''}", flush=True)

    def on_trial_result(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Say what a rung came to."""
        if TIME not in result:
            return
        report = Report.model_validate(result)
        same = [each for each in trials if (each.last_result or {}).get("training") == report.training]
        if same and same[0] is not trial:
            print(f"{trial}: the layers and hyper-parameters of {same[0]}: one training for both")
        print(
            f"{trial}: layers {' '.join(map(str, report.layers))}, {report.share:.0%} of the training: non-English"
            f" {report.non_english:.1f}, English {report.english:.1f} (loses {report.english_loss:.1f})",
            flush=True,
        )

    def on_trial_recover(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any) -> None:
        """Free what the trial's last driver had; another one starts."""
        _end(trial, "its driver failed or was killed; tried again")

    def on_trial_error(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any) -> None:
        """Free what the trial had."""
        _end(trial, "failed; the search goes on")

    def on_trial_complete(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any) -> None:
        """Free what the trial had: one that ASHA stops may wait for its next turn already."""
        _end(trial, "ended")


def _end(trial: Trial, said: str) -> None:
    ray.get(coordinator().end_driver.remote(str(trial)))
    print(f"{trial}: {said}", flush=True)

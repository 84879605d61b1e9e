"""Ray Tune over the trials: who draws the points, who goes on, what is logged, and how a killed search goes on.

Tune keeps its state in the search's own folder and reads it back by unpickling: never give it a folder of others.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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

from slam_ray.config import InputError, RunConfig
from slam_ray.search.directory import TRIALS
from slam_ray.search.result import TrialRow
from slam_ray.search.space import Label, Point, Space
from slam_ray.search.trial import ACCURACY, OBJECTIVE, TIME, Report, Setup, run_trial, rung_times
from slam_ray.search.turns import DRIVER_CPUS, Room
from slam_ray.search.workplace import start_workplace, workplace

OWN = "trial-0"
# A killed driver is replaced at once, and finds what was trained. So is one that failed, which soon fails again.
DRIVER_DEATHS = 2
CONFIG_FILE = "config.yaml"
ENVIRONMENT = {
    # Training losses are reported between the rungs; they hold no accuracy.
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # Tune's own tables; `Watch` prints what happens.
    "RAY_AIR_NEW_OUTPUT": "0",
    # Ctrl-C ends the search at once; a rerun goes on.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # A killed search knows all but its last seconds; what finished in them is found again, made.
    "TUNE_GLOBAL_CHECKPOINT_S": "2",
}


def check_loggers(config: RunConfig) -> None:
    """Raise InputError if what the trials are to be logged to cannot be reached."""
    if config.search.mlflow is not None:
        try:
            import mlflow  # noqa: F401
        except ModuleNotFoundError:
            raise InputError("search.mlflow: its client is not installed: pip install slam-ray[mlflow]") from None


def run_trials(setup: Setup, room: Room, folder: Path) -> list[TrialRow]:
    """Run all trials of the search, with Tune's folder in `folder`; returns a row a trial.

    Those that an earlier call finished stay finished. One that fails, also when it is tried again, does not end the
    search; a later call tries it again.
    """
    os.environ.update(ENVIRONMENT)
    trainable = tune.with_resources(tune.with_parameters(run_trial, setup=setup), {"cpu": DRIVER_CPUS})
    with _at_work(setup.config, room):
        path = folder / TRIALS
        if any(path.glob("experiment_state-*.json")):
            tuner = tune.Tuner.restore(str(path), trainable, restart_errored=True)
        else:
            tuner = _tuner(trainable, setup, room, folder)
        return _rows(tuner.fit())


@contextmanager
def _at_work(config: RunConfig, room: Room) -> Iterator[None]:
    actor = start_workplace(config, room)
    try:
        yield
        ray.get(actor.close.remote())
    finally:
        ray.kill(actor)


def _tuner(trainable: Any, setup: Setup, room: Room, folder: Path) -> tune.Tuner:
    search = setup.config.search
    callbacks: list[tune.Callback] = [Watch(setup.config, setup.space)]
    if search.mlflow is not None:
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        callbacks.append(MLflowLoggerCallback(search.mlflow, experiment_name=setup.config.name, save_artifact=True))
    # Tune counts from 1 where a searcher of others draws.
    name = partial(trial_name, first=0 if search.sampler == "tune" else 1)
    return tune.Tuner(
        trainable,
        param_space=param_space(setup.space),
        tune_config=tune.TuneConfig(
            search_alg=_sampler(setup.config, setup.space, room.trials),
            scheduler=Halving(search.rungs, search.reduction_factor),
            num_samples=_samples(setup.config, setup.space),
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
            drawn[key] = tune.grid_search(space.labels(key))
        elif domain.choice:
            drawn[key] = tune.choice(space.labels(key))
        elif domain.uniform:
            drawn[key] = tune.uniform(*domain.uniform)
        else:
            assert domain.loguniform
            drawn[key] = tune.loguniform(*domain.loguniform)
    return drawn


def _samples(config: RunConfig, space: Space) -> int:
    """Tune's number of samples: each is one point, or, without trial 0, one round over the grid."""
    return 1 + (config.search.trials - 1) // space.grid_points


def _sampler(config: RunConfig, space: Space, at_a_time: int) -> BasicVariantGenerator | ConcurrencyLimiter:
    search = config.search
    if search.sampler == "tune":
        return BasicVariantGenerator([dict(space.own)], max_concurrent=at_a_time, random_state=search.seed)
    from optuna.samplers import TPESampler

    # By default the first ten points are random, which in a small search is all of them.
    sampler = TPESampler(seed=search.seed, n_startup_trials=min(10, max(2, search.trials // 4)))
    own_first = OwnFirst(space.own, metric=OBJECTIVE, mode="max", sampler=sampler)
    return ConcurrencyLimiter(own_first, max_concurrent=at_a_time)


def trial_name(trial: Trial, first: int) -> str:
    """Its number in the order of drawing, from 0; `first` is what Tune calls 0."""
    return f"trial-{int(trial.experiment_tag.partition('_')[0]) - first}"


def _rows(results: tune.ResultGrid) -> list[TrialRow]:
    first_with: dict[str, int] = {}
    rows = []
    for result in sorted((results[place] for place in range(len(results))), key=_number):
        number = _number(result)
        # Of a trial that failed before its first report Tune keeps the point in this file alone.
        point = json.loads(Path(result.path, EXPR_PARAM_FILE).read_text())
        if result.error is not None:
            error = result.error.cause if isinstance(result.error, RayTaskError) else result.error
            rows.append(TrialRow(number=number, point=point, state="failed", error=_sentence(error)))
            continue
        report = Report.model_validate(result.metrics)
        first = first_with.setdefault(report.training, number)
        rows.append(
            TrialRow(
                number=number,
                point=point,
                state="finished" if report.share == 1 else "stopped",
                share=report.share,
                layers=tuple(map(int, report.layers.split())),
                trained_share=report.trained_share,
                non_english=report.non_english,
                english=report.english,
                english_loss=report.english_loss,
                same_training_as=None if first == number else first,
                seconds=report.seconds,
            )
        )
    return rows


def _number(result: tune.Result) -> int:
    # Tune adds to a folder's name where that of a failed trial is there already.
    found = re.match(r"trial-(\d+)", Path(result.path).name)
    assert found
    return int(found[1])


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class OwnFirst(OptunaSearch):
    """Optuna, after the configuration's own point, which it may not be able to draw and so does not learn from."""

    def __init__(self, own: Point, **options: Any) -> None:
        super().__init__(**options)
        self._own: Mapping[str, Label] = own
        self._first: str | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The own point first, then Optuna's."""
        if self._first in (None, trial_id):
            self._first = trial_id
            return dict(self._own)
        suggested: dict[str, Any] | None = super().suggest(trial_id)
        return suggested

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Learn of a rung; a loss between the rungs is no result."""
        if trial_id in self._ot_trials and OBJECTIVE in result:
            super().on_trial_result(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Learn what a drawn trial came to; one that is tried again has a new id, which Optuna does not know."""
        if trial_id in self._ot_trials:
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
            self._trial_info[trial.trial_id].on_result(trial, int(time), accuracy)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Whether a trial goes on."""
        decision: str = super().on_trial_result(tune_controller, trial, result)
        return TrialScheduler.CONTINUE if str(trial) == OWN else decision


class Watch(tune.Callback):
    """Prints what trials do, keeps their configurations with their logs, gives back turns of drivers that died."""

    def __init__(self, config: RunConfig, space: Space) -> None:
        self._config, self._space = config, space

    def on_trial_start(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any) -> None:
        """Write the trial's whole configuration."""
        config = self._space.apply(self._config, trial.config)
        values = config.model_dump(mode="json", exclude={"search"})
        Path(str(trial.local_path), CONFIG_FILE).write_text(yaml.safe_dump(values, sort_keys=False))
        settings = ", ".join(f"{key.partition('.')[2]} {value}" for key, value in trial.config.items())
        print(f"{trial}: {settings}{' (the configuration itself)' if str(trial) == OWN else ''}", flush=True)

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
            f"{trial}: layers {report.layers}, {report.share:.0%} of the training: non-English"
            f" {report.non_english:.1f}, English {report.english:.1f} (loses {report.english_loss:.1f})",
            flush=True,
        )

    def on_trial_recover(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any) -> None:
        """Free what the trial's last driver held; another one starts."""
        _leave(trial)
        print(f"{trial}: its driver failed or was killed; tried again", flush=True)

    def on_trial_error(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any) -> None:
        """Free what the trial held."""
        _leave(trial)
        print(f"{trial}: failed; the search goes on", flush=True)

    def on_trial_complete(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any) -> None:
        """Free what the trial held: one that ASHA stops may have asked for its next turn already."""
        _leave(trial)
        print(f"{trial}: ended", flush=True)


def _leave(trial: Trial) -> None:
    ray.get(workplace().leave.remote(str(trial)))

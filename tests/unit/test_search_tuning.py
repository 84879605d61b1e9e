"""Who goes on and who draws: Tune's own scheduler and Optuna's sampler around trial 0, also after a restart."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import InputError, RunConfig, load_config
from slam_ray.search.space import Space, read_space
from slam_ray.search.tuning import OBJECTIVE, Halving, OptunaAfterTrial0, check_loggers, param_space

STOP, CONTINUE = "STOP", "CONTINUE"


@dataclass
class TuneTrial:
    """What a scheduler reads of one of Tune's trials."""

    name: str
    last_result: dict[str, Any] = field(default_factory=dict)

    @property
    def trial_id(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name


def at_rung(halving: Any, trial: TuneTrial, time: int, accuracy: float) -> str:
    return str(halving.on_trial_result(None, trial, {"rung_time": time, "non_english": accuracy}))


def test_the_weak_are_stopped_but_never_trial_0() -> None:
    halving: Any = Halving(rungs=3, reduction_factor=2)
    strong, weak, trial_0 = TuneTrial("trial-1"), TuneTrial("trial-2"), TuneTrial("trial-0")
    for trial in (strong, weak, trial_0):
        halving.on_trial_add(None, trial)
    assert at_rung(halving, strong, 1, 80.0) == CONTINUE
    assert at_rung(halving, weak, 1, 20.0) == STOP
    assert at_rung(halving, trial_0, 1, 10.0) == CONTINUE
    assert at_rung(halving, strong, 2, 82.0) == CONTINUE
    assert at_rung(halving, strong, 4, 82.0) == STOP, "the end of its training"
    assert halving.on_trial_result(None, strong, {"translation_loss": 0.1}) == CONTINUE


def test_after_a_restart_earlier_rungs_still_count() -> None:
    halving: Any = Halving(rungs=2, reduction_factor=2)
    halving.on_trial_add(None, TuneTrial("trial-1", {"rungs": {"1": 80.0, "2": 81.0}}))
    newcomer = TuneTrial("trial-2")
    halving.on_trial_add(None, newcomer)
    assert at_rung(halving, newcomer, 1, 20.0) == STOP


def optuna(space: Space) -> OptunaAfterTrial0:
    from optuna.samplers import TPESampler

    sampler = TPESampler(seed=1, n_startup_trials=2)
    searcher = OptunaAfterTrial0(space.trial_0, metric=OBJECTIVE, mode="max", sampler=sampler)
    searcher.set_search_properties(None, None, param_space(space))
    return searcher


def config(space: dict[str, Any], **search: Any) -> RunConfig:
    values = load_config("demo", {}).model_dump()
    return RunConfig.model_validate(values | {"search": {"space": space, **search}})


def test_optuna_draws_after_trial_0_and_keeps_what_it_learned(tmp_path: Path) -> None:
    space = read_space(config({"selection.theta_factor": {"uniform": [2.0, 3.0]}}, sampler="optuna"))
    searcher = optuna(space)
    assert searcher.suggest("a") == {"selection.theta_factor": 1.0}
    for number, trial in enumerate("abcdef"):
        point = searcher.suggest(trial)
        assert point is not None
        searcher.on_trial_result(trial, {"translation_loss": 0.1})
        searcher.on_trial_result(trial, {OBJECTIVE: float(number), "training_iteration": 2})
        searcher.on_trial_complete(trial, {OBJECTIVE: float(number)})
        assert number == 0 or 2 <= point["selection.theta_factor"] <= 3
    searcher.save(str(tmp_path / "state"))
    again = optuna(space)
    again.restore(str(tmp_path / "state"))
    assert again.suggest("g") == searcher.suggest("g")
    again.on_trial_complete("h", {OBJECTIVE: 1.0})  # a failed trial tried again has an id of its own


def test_a_missing_client_is_said_before_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = config({"training.epochs": {"choice": [1, 2]}}, mlflow="sqlite:///m.db")
    check_loggers(wanted)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=r"search.mlflow: its client is not installed: pip install slam-ray\[mlflow\]"):
        check_loggers(wanted)

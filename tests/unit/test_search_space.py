"""What a search may try: keys, values, trial 0, and the numbers of trials that fit a grid."""

from typing import Any

import pytest

from slam_ray.config import InputError, RunConfig, load_config
from slam_ray.search.space import Point, read_space
from slam_ray.search.tuning import param_space


def config(space: dict[str, Any], **search: Any) -> RunConfig:
    values = load_config("demo", {}).model_dump()
    values["search"] = {"space": space, **search}
    return RunConfig.model_validate(values)


def test_points_become_configurations() -> None:
    base = config(
        {
            "selection.layers": {"choice": [None, "2-4", [1, 7]]},
            "selection.overlap": {"choice": ["coverage", "english"]},
            "selection.max_layer_share": {"uniform": [0.25, 0.75]},
            "training.projections": {"choice": [["up"], ["up", "down", "gate"]]},
            "training.learning_rate": {"loguniform": [1e-5, 1e-3]},
            "training.epochs": {"choice": [1, 2]},
        }
    )
    space = read_space(base)
    assert space.apply(base, space.trial_0) == base
    assert param_space(space)["selection.layers"].categories == ["null", "2-4", "1 7"]
    point: Point = {
        "selection.layers": "2-4",
        "selection.overlap": "english",
        "selection.max_layer_share": 0.3,
        "training.projections": "up down gate",
        "training.learning_rate": 3e-4,
        "training.epochs": 2,
    }
    tried = space.apply(base, point)
    assert tried.selection.layers == (2, 3, 4)
    assert (tried.selection.overlap, tried.selection.max_layer_share) == ("english", 0.3)
    assert tried.training.projections == ("up", "down", "gate")
    assert (tried.training.learning_rate, tried.training.epochs) == (3e-4, 2)
    assert space.apply(base, {"selection.layers": "1 7"}).selection.layers == (1, 7)
    assert tried.activations == base.activations


@pytest.mark.parametrize(
    ("space", "search", "said"),
    [
        ({}, {}, "search.space is empty"),
        ({"selection.theta": {"choice": [1]}}, {}, "did you mean 'selection.theta_factor'"),
        ({"activations.questions": {"choice": [1]}}, {}, "cannot be searched"),
        ({"selection.overlap": {"choice": ["jackard"]}}, {}, "search.space.selection.overlap: Input should be"),
        ({"selection.neuron_share": {"uniform": [0.5, 1.5]}}, {}, "got 1.5"),
        ({"training.epochs": {"uniform": [1, 4]}}, {}, "valid integer"),
        ({"selection.first": {"choice": [1]}, "selection.layers": {"choice": ["0-1"]}}, {}, "in two ways"),
        ({"training.epochs": {"choice": [2, 2]}}, {}, "there twice"),
        ({"training.epochs": {"grid": [1, 2, 3]}}, {"trials": 5}, "so give 4, 7"),
        ({"training.epochs": {"grid": [1, 2]}}, {"sampler": "optuna"}, "Optuna draws no grid"),
    ],
)
def test_what_cannot_be_searched_is_said(space: dict[str, Any], search: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        read_space(config(space, **search))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ({}, "give one of grid"),
        ({"choice": [1], "grid": [1]}, "give one of grid"),
        ({"uniform": [2, 1]}, "from 2 to 1 is no range"),
        ({"loguniform": [0, 1]}, "no range above 0"),
    ],
)
def test_a_domain_is_one_list_or_one_range(domain: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        config({"selection.theta_factor": domain})

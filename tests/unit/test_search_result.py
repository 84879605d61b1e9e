"""Which trial is best, which are on the Pareto front, what the table, the figures and the folder say of it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slam_ray.config import InputError, load_config
from slam_ray.reporting.figures import layer_range_figure, pareto_figure
from slam_ray.reporting.search import (
    ChangeToBest,
    SearchResult,
    TrialResult,
    best_of,
    search_table,
    training_seconds,
    with_front,
)
from slam_ray.search.directory import SearchDirectory
from slam_ray.search.trial import objective, rung_times
from slam_ray.store.storage import Storage


def trial(number: int, accuracy: float, trained: float, loss: float = 0.0, **more: Any) -> TrialResult:
    values: dict[str, Any] = {"state": "finished", "share": 1.0, "layers": tuple(range(number + 1)), "seconds": 10.0}
    return TrialResult(
        number=number, point={"selection.layers": f"0-{number}"}, non_english=accuracy, english=90 - loss,
        english_loss=loss, trained_share=trained, **{**values, **more},
    )  # fmt: skip


TRIALS = with_front(
    [
        trial(0, 60.0, 0.05),
        trial(1, 62.0, 0.10),
        trial(2, 61.0, 0.15),
        trial(3, 80.0, 0.30, loss=1.5),
        trial(4, 62.0, 0.10, same_training_as=1),
        trial(5, 90.0, 0.02, state="stopped", share=1 / 3, seconds=4.0),
        TrialResult(number=6, point={"selection.first": 9}, state="failed", error="InputError: there is no layer 9"),
        trial(7, 55.0, 0.01, loss=-2.0),
    ],
    bound=1.0,
)


def result(**changes: Any) -> SearchResult:
    values = SearchResult(
        name="s",
        model="m",
        limit=None,
        english_bound=1.0,
        problems=100,
        pairs=None,
        base_english=90.0,
        base_non_english=50.0,
        best=best_of(TRIALS),
        trials=TRIALS,
        test={"mgsm": ChangeToBest(own=61, best=63, difference=2.0, low=-0.5, high=4.5, english_difference=-0.4)},
        training_seconds=training_seconds(TRIALS),
    )
    return values.model_copy(update=changes)


def test_the_best_keeps_english_and_the_front_trains_least() -> None:
    assert [each.number for each in TRIALS if each.within_bound] == [0, 1, 2, 4, 7]
    assert [each.number for each in TRIALS if each.front] == [0, 1, 4, 7]
    best = best_of(TRIALS)
    assert best is not None
    assert best.number == 1
    assert best_of(with_front([trial(0, 60, 0.1, loss=1.1)], bound=1.0)) is None


def test_a_loss_of_exactly_the_bound_is_within_it() -> None:
    """Also where the difference of two rounded percentages is a hair more."""
    for correct in range(3, 301):
        loss = 100 * correct / 300 - 100 * (correct - 3) / 300
        assert with_front([trial(0, 60, 0.1, loss=loss)], bound=1.0)[0].within_bound, correct
        assert objective(60.0, loss, 1.0) == 60.0, correct


def test_a_shared_training_is_counted_once() -> None:
    assert training_seconds(TRIALS) == 10 + 10 + 10 + 10 + 4 + 10


def test_points_beyond_the_bound_are_worse_than_all_within_it() -> None:
    assert objective(0.0, 1.0, 1.0) > objective(99.0, 1.1, 1.0) > objective(99.0, 3.0, 1.0)
    assert objective(50.0, 0.0, 1.0) == 50.0
    assert rung_times(3, 3) == [1, 3, 9]


def test_the_table_shows_every_trial_and_what_the_test_says() -> None:
    table = search_table(result())
    lines = {line.split()[0]: line for line in table.splitlines() if line.split()}
    assert re.search(r"1 +0 1 +10.00 % +62.0\* +90.0 +\+0.0 +10 +finished$", lines["1"])
    assert lines["4"].endswith("finished, trained as 1")
    assert lines["5"].endswith("stopped at 33%")
    assert "there is no layer 9" in lines["6"]
    assert "best: trial 1, layers 0 1" in table
    assert "non-English 61.0 (trial 0) to 63.0 (trial 1): +2.0 points [-0.5, +4.5], English -0.4" in table
    assert table.endswith("all trainings took 54 s, their starts included")
    assert "SMOKE" not in table
    assert "SMOKE SEARCH on the first 5" in search_table(result(limit=5))
    assert "best: none" in search_table(result(best=None, test={}))
    assert "no benchmark has other languages than English" in search_table(result(test={}))
    without_trial_0 = [TrialResult(number=0, point={}, state="failed", error="InputError: no"), *TRIALS[1:]]
    assert "no comparison on the test: trial 0 failed" in search_table(result(trials=without_trial_0, test={}))


def test_figures_show_front_yardstick_and_ranges() -> None:
    pareto = pareto_figure([0.05, 0.1, 0.2], [60, 62, 61], [True, True, False], 0, 1, 50.0)
    (front,) = [line for line in pareto.axes[0].lines if line.get_gid() == "front"]
    assert np.asarray(front.get_xydata()).tolist() == [[5, 60], [10, 62]]
    labels = [text.get_text() for text in pareto.legends[0].get_texts()]
    assert labels == ["untuned", "trial", "front", "trial 0", "best"]
    ranges = layer_range_figure([0, 2, 2], [60, 55, 61], 8, None, 50.0)
    drawn = np.asarray(ranges.axes[0].lines[-1].get_xydata()).tolist()
    assert drawn == [[0, 60], [2, 61]]


def test_the_folder_keeps_the_configuration_and_the_result(tmp_path: Path) -> None:
    config = load_config("demo", {"storage": str(tmp_path)})
    storage = Storage.of(config)
    directory = SearchDirectory(config, storage)
    directory.check()
    directory.start()
    assert directory.result() is None
    directory.finish(result(pairs=400), config, 8)
    assert directory.result() == result(pairs=400)
    assert {file.name for file in directory.path.iterdir()} == {
        "config.yaml", "search.json", "best.yaml", "pareto.png", "layer_ranges.png", "trials",
    }  # fmt: skip
    best = load_config(str(directory.path / "best.yaml"), {})
    assert best.name == "demo-best"
    assert best.model_dump(exclude={"name", "search"}) == config.model_dump(exclude={"name", "search"})
    assert "trains on all" in (directory.path / "best.yaml").read_text()

    other = config.model_copy(update={"execution": config.execution.model_copy(update={"engines": 1})})
    SearchDirectory(other, storage).check()
    changed = config.model_copy(update={"search": config.search.model_copy(update={"trials": 9})})
    with pytest.raises(InputError, match=r"search.trials: 8 -> 9.*--name"):
        SearchDirectory(changed, storage).check()

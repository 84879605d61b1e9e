"""On a small cluster trainings and engines take turns; equal trainings never run side by side; none waits for ever."""

import threading
import time
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slam_ray.config import InputError
from slam_ray.search.schedule import Capacity, DriverEnded, Schedule, capacity_for
from slam_ray.store.workers import Workers

NODE: Mapping[str, float] = {"CPU": 3}
TRAINING, ENGINES = Workers("training", 2, 1, 0), Workers("engines", 2, 1, 0)


@pytest.mark.parametrize(
    ("nodes", "gpus", "trials", "expected"),
    [
        ([{"CPU": 3}], 0, 8, Capacity(trainings=1, engines_stay=False, trials=4)),
        ([{"CPU": 5}], 0, 8, Capacity(trainings=1, engines_stay=True, trials=4)),
        ([{"CPU": 5}], 0, 1, Capacity(trainings=1, engines_stay=True, trials=1)),
        ([{"CPU": 64, "GPU": 8}], 1, 100, Capacity(trainings=3, engines_stay=True, trials=6)),
        ([{"CPU": 16, "GPU": 1}, {"CPU": 16, "GPU": 1}], 1, 8, Capacity(trainings=1, engines_stay=False, trials=4)),
    ],
)
def test_capacity_is_what_the_cluster_gives(
    nodes: list[Mapping[str, float]], gpus: int, trials: int, expected: Capacity
) -> None:
    assert capacity_for(Workers("training", 2, 1, gpus), Workers("engines", 2, 1, gpus), nodes, trials) == expected


def test_a_trial_that_never_fits_names_what_is_missing() -> None:
    with pytest.raises(InputError, match=r"training wants 2 workers of 1 CPU each beside the 0.04 CPU of 4 trials"):
        capacity_for(TRAINING, Workers("engines", 1, 1, 0), [{"CPU": 2}], 8)
    with pytest.raises(InputError, match=r"lower --execution.engines"):
        capacity_for(Workers("training", 1, 1, 0), ENGINES, [{"CPU": 2}], 8)


class Trials:
    """Threads that train and evaluate in turn, and what they met of one another."""

    def __init__(self, capacity: Capacity) -> None:
        self.schedule, self.capacity = Schedule(capacity), capacity
        self.training: Counter[str] = Counter()
        self.evaluating = 0
        self.ended: list[str] = []
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def run(self, trainings: Mapping[str, list[str]]) -> None:
        threads = [threading.Thread(target=self._trial, args=item, daemon=True) for item in trainings.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
        assert self.wrong == []
        assert sorted(self.ended) == sorted(trainings)

    def _trial(self, name: str, trainings: list[str]) -> None:
        for training in trainings:
            self.schedule.begin_training(name, training)
            with self._lock:
                self.training[training] += 1
                self._check()
            time.sleep(0.001)
            with self._lock:
                self.training[training] -= 1
            self.schedule.end_training(name)
            with self.schedule.evaluation():
                with self._lock:
                    self.evaluating += 1
                    self._check()
                time.sleep(0.001)
                with self._lock:
                    self.evaluating -= 1
        self.ended.append(name)

    def _check(self) -> None:
        if max(self.training.values(), default=0) > 1:
            self.wrong.append("the same training twice at a time")
        if self.training.total() > self.capacity.trainings or self.evaluating > 1:
            self.wrong.append("more at a time than the cluster can do")
        if not self.capacity.engines_stay and self.evaluating and self.training.total():
            self.wrong.append("an evaluation beside a training")


@settings(max_examples=30, deadline=None)
@given(
    st.builds(Capacity, trainings=st.integers(1, 3), engines_stay=st.booleans(), trials=st.just(6)),
    st.lists(st.lists(st.sampled_from("abc"), max_size=3), min_size=1, max_size=6),
)
def test_all_come_to_their_end_whatever_they_want(capacity: Capacity, wanted: list[list[str]]) -> None:
    Trials(capacity).run({f"trial-{number}": trainings for number, trainings in enumerate(wanted)})


def test_trainings_that_wait_go_before_the_engines_start() -> None:
    """So that several trials are evaluated in one lifetime of the engines."""
    schedule, order = Schedule(Capacity(1, False, 3)), []
    schedule.begin_training("first", "a")

    def train() -> None:
        schedule.begin_training("second", "b")
        order.append("training")
        schedule.end_training("second")

    def evaluate() -> None:
        with schedule.evaluation():
            order.append("evaluation")

    threads = [threading.Thread(target=work, daemon=True) for work in (evaluate, train)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    schedule.end_training("first")
    for thread in threads:
        thread.join(timeout=5)
    assert order == ["training", "evaluation"]


def test_a_dead_trial_holds_nothing_and_takes_nothing() -> None:
    schedule = Schedule(Capacity(1, False, 3))
    schedule.begin_training("dead", "a")
    raised = []

    def wait() -> None:
        try:
            schedule.begin_training("dying", "b")
        except DriverEnded as error:
            raised.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    schedule.end_driver("dying")
    waiting.join(timeout=5)
    assert len(raised) == 1
    schedule.end_driver("dead")
    schedule.begin_training("living", "a")
    schedule.end_training("living")
    schedule.begin_training("dead", "a")  # by another driver
    schedule.end_training("dead")

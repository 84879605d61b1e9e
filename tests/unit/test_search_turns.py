"""Turns: nobody waits for ever, kinds do not mix where there is no room, equal trainings do not run side by side."""

import threading
import time
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slam_ray.config import InputError
from slam_ray.pipeline.resources import Workers
from slam_ray.search.turns import Left, Room, Turns, room

NODE: Mapping[str, float] = {"CPU": 3}
TRAINING, ENGINES = Workers("training", 2, 1, 0), Workers("engines", 2, 1, 0)


@pytest.mark.parametrize(
    ("nodes", "gpus", "trials", "expected"),
    [
        ([{"CPU": 3}], 0, 8, Room(slots=1, kept=False, trials=4)),
        ([{"CPU": 5}], 0, 8, Room(slots=1, kept=True, trials=4)),
        ([{"CPU": 5}], 0, 1, Room(slots=1, kept=True, trials=1)),
        ([{"CPU": 64, "GPU": 8}], 1, 100, Room(slots=3, kept=True, trials=6)),
        ([{"CPU": 16, "GPU": 1}, {"CPU": 16, "GPU": 1}], 1, 8, Room(slots=1, kept=False, trials=4)),
    ],
)
def test_room_is_what_the_cluster_gives(
    nodes: list[Mapping[str, float]], gpus: int, trials: int, expected: Room
) -> None:
    assert room(Workers("training", 2, 1, gpus), Workers("engines", 2, 1, gpus), nodes, trials) == expected


def test_a_trial_that_never_fits_names_what_is_missing() -> None:
    with pytest.raises(InputError, match=r"training wants 2 workers of 1 CPU each beside the 0.04 CPU of 4 trials"):
        room(TRAINING, Workers("engines", 1, 1, 0), [{"CPU": 2}], 8)
    with pytest.raises(InputError, match=r"lower --execution.engines"):
        room(Workers("training", 1, 1, 0), ENGINES, [{"CPU": 2}], 8)


class Trials:
    """Threads that train and evaluate in turn, and what they saw of one another."""

    def __init__(self, place: Room) -> None:
        self.turns, self.place = Turns(place), place
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
            self.turns.begin_training(name, training)
            with self._lock:
                self.training[training] += 1
                self._look()
            time.sleep(0.001)
            with self._lock:
                self.training[training] -= 1
            self.turns.end_training(name)
            with self.turns.evaluation():
                with self._lock:
                    self.evaluating += 1
                    self._look()
                time.sleep(0.001)
                with self._lock:
                    self.evaluating -= 1
        self.ended.append(name)

    def _look(self) -> None:
        if max(self.training.values(), default=0) > 1:
            self.wrong.append("the same training twice at a time")
        if self.training.total() > self.place.slots or self.evaluating > 1:
            self.wrong.append("more at a time than there is room for")
        if not self.place.kept and self.evaluating and self.training.total():
            self.wrong.append("an evaluation beside a training without room for both")


@settings(max_examples=30, deadline=None)
@given(
    st.builds(Room, slots=st.integers(1, 3), kept=st.booleans(), trials=st.just(6)),
    st.lists(st.lists(st.sampled_from("abc"), max_size=3), min_size=1, max_size=6),
)
def test_all_come_to_their_end_whatever_they_want(place: Room, wanted: list[list[str]]) -> None:
    Trials(place).run({f"trial-{number}": trainings for number, trainings in enumerate(wanted)})


def test_trainings_that_wait_go_before_the_engines_start() -> None:
    """So that several trials are evaluated in one lifetime of the engines."""
    turns, order = Turns(Room(1, False, 3)), []
    turns.begin_training("first", "a")

    def train() -> None:
        turns.begin_training("second", "b")
        order.append("training")
        turns.end_training("second")

    def evaluate() -> None:
        with turns.evaluation():
            order.append("evaluation")

    threads = [threading.Thread(target=work, daemon=True) for work in (evaluate, train)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    turns.end_training("first")
    for thread in threads:
        thread.join(timeout=5)
    assert order == ["training", "evaluation"]


def test_a_dead_trial_holds_nothing_and_takes_nothing() -> None:
    turns = Turns(Room(1, False, 3))
    turns.begin_training("dead", "a")
    raised = []

    def wait() -> None:
        try:
            turns.begin_training("dying", "b")
        except Left as left:
            raised.append(left)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    turns.leave("dying")
    waiting.join(timeout=5)
    assert len(raised) == 1
    turns.leave("dead")
    turns.begin_training("living", "a")
    turns.end_training("living")
    turns.begin_training("dead", "a")  # by another driver
    turns.end_training("dead")

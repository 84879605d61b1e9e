"""Responses of a model that loops: whatever they are, they are read, and in time proportional to their length."""

import math
import time
from pathlib import Path

import pytest

from slam_ray.corpora import Problem
from slam_ray.evaluation.responses import Response
from slam_ray.evaluation.scoring import MARKS_FILE, read_marks, score_responses, write_marks
from tests.artifacts import artifact_of

REPEATED = (
    "1", "1,", "1 ", "1.", "1/", "1/1 ", "111 ", "1:3", "1=", "2^", "1e", "1 x 10^", "½", "۱", "²", "5만", "万",
    "5 million ", "thousand ", "elfu 5 ", "minus ", "-", "- ", "$", "$1,", "US", "(", "(A) ", "A ", "A. ", "A.\n",
    " ", "\n", "\r", ".", ". ", "? ", "*", "* 1\n", "1. ", "#", "####", "####\n", "#### 1 ", "</think>", "\\text{",
    "\\boxed{", "\\boxed{5} ", "\\boxed{\n", "\\frac{", "\\frac{1}{2}", "\u0301\u0327",
    "the answer is ", "the answer ", "answer:", "Answer:\n", "Answer:\n1. a\n", "The answer is 5 + ", "5 + 6 = ",
    "The answer is that 5 ", "he can answer ", "Option B ", "B is ", "answer is A ", "Question: ", "jibu ni elfu ",
    "答案", "उत्तर है ", "정답은 ",
)  # fmt: skip
LENGTH = 8_000
SECONDS = 1.0
# Below this a clock says nothing of the shape of a curve.
LEAST_SECONDS = 0.02


def seconds(response: str, question: Problem) -> float:
    """Processor time of scoring one response, by both extractors."""
    answered = Response(question.id, question.language, "prompt", response, "length", 512)
    begun = time.process_time()
    score_responses([question], [answered])
    return time.process_time() - begun


@pytest.mark.parametrize("question", [Problem("a", "sw", "?", 5.0), Problem("a", "en", "?\n(A) a\n(B) b", "A")])
def test_twice_as_long_takes_about_twice_as_long(question: Problem) -> None:
    seconds("a b c", question)
    slow = {}
    for unit in REPEATED:
        once, twice = (unit * (length // len(unit) + 1) for length in (LENGTH, 2 * LENGTH))
        for _ in range(5):  # a busy machine may disturb a measurement
            times = seconds(once, question), seconds(twice, question)
            slow[unit] = times
            if times[1] < LEAST_SECONDS or times[1] <= 2.5 * times[0]:
                del slow[unit]
                break
        assert times[1] < SECONDS, unit
    assert not slow


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("The answer is " + "1" * 400 + " 1/2", math.inf),
        ("The answer is -" + "7" * 8_000, -math.inf),
        ("The answer is " + "1" * 9_000 + "/" + "1" * 9_000, None),
        ("1" * 5_000 + " 1/2", math.inf),
        ("The answer is 9^" + "9" * 5_000, math.inf),
        ("The answer is 1e" + "9" * 5_000, math.inf),
        ("The answer is 0^-1", None),
        ("The answer is 5/0", None),
        ("The answer is 0." + "3" * 9_000, 1 / 3),
        ("The answer is " + "1" * 400 + " million", math.inf),
        ("The answer is 1" + ",000" * 2_000, math.inf),
    ],
)
def test_numbers_of_any_length_are_read_and_kept(response: str, found: float | None, tmp_path: Path) -> None:
    """What no float can hold is a number, only no gold answer."""
    problem = Problem("a", "en", "?", 5.0)
    scores, marks = score_responses([problem], [Response("a", "en", "prompt", response, "length", 512)])
    assert marks[1].found == (None if found is None else pytest.approx(found))
    assert not marks[1].correct
    assert scores.extractors["strict"].languages["en"].accuracy == 0
    assert scores.extractors["strict"].languages["en"].unanswered == (100 if found is None else 0)
    write_marks(tmp_path / MARKS_FILE, marks)
    assert read_marks(artifact_of(tmp_path)) == marks

"""Progress: the pace is that of the work, not of what came before it."""

import pytest

from slam_ray.terminal import progress


def test_time_left_does_not_count_the_start_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock)
    shown = progress.Progress("count", 100, "questions", done=20)
    clock = 60.0
    shown.advance(10)
    clock = 70.0
    shown.advance(20, "half")
    shown.advance(50)
    assert capsys.readouterr().out.splitlines() == [
        "  count: 30/100 questions",
        "  count: 50/100 questions, 2.0/s, 25 s left, half",
        "  count: 100/100 questions, 7.0/s, 0 s left",
    ]

"""`make demo`'s way of running a job: on a Ray of its own beside another one, or without Ray if nothing is to do."""

from pathlib import Path

from slam_ray.cluster.local.head import LocalRay
from tests.jobs import small_checkout, submit


def test_a_job_is_submitted_once_and_then_found_done(ray_cluster: LocalRay, tmp_path: Path) -> None:
    checkout = small_checkout(tmp_path / "a checkout")
    output, _ = (process := submit(checkout, "1", "7")).communicate()
    assert process.returncode == 7
    assert "Ray dashboard: http://127.0.0.1:" in output
    assert f"job in {checkout}" not in output
    assert ray_cluster.address not in output
    assert output.splitlines()[-1] == "report: here"
    assert (checkout / "done").exists()
    again, _ = (process := submit(checkout, "0", "0")).communicate()
    assert process.returncode == 0
    assert again.splitlines() == [f"job in {checkout} on None", "report: here"]


def test_bad_input_is_said_before_ray_starts(tmp_path: Path) -> None:
    output, _ = (process := submit(small_checkout(tmp_path / "checkout"), "bad")).communicate()
    assert process.returncode == 2
    assert output == ""

"""Where a stage ends and the next one starts on a cluster that other jobs use as well."""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from slam_ray.cluster import capacity, shared_paths
from slam_ray.cluster.connection import alive_nodes
from slam_ray.cluster.local.head import LocalRay
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.cluster.ray_internals import living_actors_of_this_process
from slam_ray.config import ExecutionConfig
from slam_ray.store.local import LocalLocation

# Takes all of the cluster for a while, by an actor of an actor, as Ray Train's workers are.
OTHER_JOB = """
import ray, sys
ray.init(logging_level=40)

@ray.remote(num_cpus=3)
class Worker:
    def work(self): pass

@ray.remote(num_cpus=1)
class Controller:
    def start(self):
        self.worker = Worker.remote()
        ray.get(self.worker.work.remote())

controller = Controller.remote()
ray.get(controller.start.remote())
print("at work", flush=True)
sys.stdin.read()
"""

# Leaves an actor that goes on after the job has ended, as one does for a moment that Ray is just killing with its job.
OVER_BUT_AT_WORK = """
import ray
from slam_ray.cluster.ray_internals import before_workers_start
from slam_ray.training.failures import refuse_ended_job
ray.init(logging_level=40)

@ray.remote(num_cpus=0, name="controller", namespace="over", lifetime="detached")
class Controller:
    def start_workers(self): before_workers_start(refuse_ended_job).before_worker_group_start(None)

controller = Controller.remote()
ray.get(controller.start_workers.remote())
"""


@pytest.fixture
def other_job(ray_cluster: LocalRay) -> Any:
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER_JOB], env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    yield process
    process.kill()
    process.wait()


def test_a_stage_waits_for_what_another_job_holds(
    other_job: "subprocess.Popen[str]",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(capacity, "QUIET_S", 0.5)
    assert other_job.stdin is not None
    ending = threading.Timer(2, other_job.stdin.close)
    with RayCluster(ExecutionConfig(counting_actors=2)) as cluster:
        ending.start()
        assert cluster.workers("counting").count == 2
        assert ending.finished.is_set(), "it got resources that were not free"
        cluster.wait_until_ended()
    said = capsys.readouterr().out
    assert said == "waiting until other jobs of this cluster leave room for counting: 2 workers of 1 CPU each\n"


def test_a_stage_has_ended_though_another_job_works(other_job: "subprocess.Popen[str]", ray_cluster: LocalRay) -> None:
    with RayCluster(ExecutionConfig()) as cluster:
        cluster._connect()
        cluster.wait_until_ended()
    assert other_job.poll() is None


def test_an_actor_that_outlives_its_stage_is_an_error(ray_cluster: LocalRay, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr("slam_ray.cluster.ray_cluster.END_TIMEOUT_S", 1.0)

    @ray.remote(num_cpus=1)
    class Inner:
        pass

    @ray.remote(num_cpus=0)
    class Outer:
        def __init__(self) -> None:
            self.inner = Inner.remote()  # type: ignore[attr-defined]

        def ready(self) -> None:
            pass

    with RayCluster(ExecutionConfig()) as cluster:
        cluster.workers("counting")
        outer = Outer.remote()  # type: ignore[attr-defined]
        ray.get(outer.ready.remote())
        with pytest.raises(RuntimeError, match=r"still at work are its .*Inner"):
            cluster.wait_until_ended()
        ray.kill(outer)
        cluster.wait_until_ended()


def test_an_actor_that_only_garbage_refers_to_ends_with_its_stage(
    ray_cluster: LocalRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr("slam_ray.cluster.ray_cluster.END_TIMEOUT_S", 10.0)

    @ray.remote(num_cpus=1)
    class Worker:
        def ready(self) -> None:
            pass

    with RayCluster(ExecutionConfig()) as cluster:
        cluster.workers("counting")
        worker = Worker.remote()  # type: ignore[attr-defined]
        ray.get(worker.ready.remote())
        cycle = [worker]
        cycle.append(cycle)
        gc.disable()
        try:
            del worker, cycle
            assert any(name.endswith(".Worker") for name in living_actors_of_this_process())
            cluster.wait_until_ended()
        finally:
            gc.enable()


def test_a_placement_group_of_a_killed_actor_frees_its_resources(ray_cluster: LocalRay) -> None:
    import ray
    from ray.util import placement_group

    @ray.remote(num_cpus=0)
    class Controller:
        def reserve(self) -> None:
            ray.get(placement_group([{"CPU": 4}]).ready())

    with RayCluster(ExecutionConfig()) as cluster:
        cluster.workers("counting")
        controller = Controller.remote()  # type: ignore[attr-defined]
        ray.get(controller.reserve.remote())
        assert ray.available_resources().get("CPU", 0) == 0
        ray.kill(controller)
        assert cluster.workers("counting").count == 2


def test_no_workers_are_started_for_a_job_that_is_over(ray_cluster: LocalRay) -> None:
    import ray

    subprocess.run([sys.executable, "-c", OVER_BUT_AT_WORK], env=os.environ, check=True)
    controller = ray.get_actor("controller", "over")
    try:
        with pytest.raises(RuntimeError, match="the job is over"):
            ray.get(controller.start_workers.remote())
    finally:
        ray.kill(controller)


def test_a_node_that_is_lost_while_it_looks_for_the_storage_is_passed_over(
    ray_cluster: LocalRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = {"NodeID": "ab" * 28, "NodeManagerAddress": "127.0.0.1", "Resources": {"CPU": 1}}
    monkeypatch.setattr(shared_paths, "alive_nodes", lambda: [*alive_nodes(), lost])
    shared_paths.SharedPaths(LocalLocation(tmp_path)).check()
    assert list(tmp_path.iterdir()) == []

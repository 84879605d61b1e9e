"""Several Ray nodes on this machine: who does what, what they see of a storage, and what is left of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from slam_ray.cluster.local.head import LocalRay

ROOT = Path(__file__).parents[2]
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]

# A job, for which the driver node is asked, and then the nodes and where the job's process was placed.
ROLES = """
ray job submit --entrypoint-resources '{"driver": 1}' -- echo the job runs
python - <<'END'
import json, os, ray
from ray.util.state import list_actors
ray.init(logging_level=40)
nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
(job,) = (actor for actor in list_actors() if actor.class_name == "JobSupervisor")
free = ray.get(ray.remote(num_cpus=1)(lambda: ray.get_runtime_context().get_node_id()).remote())
print(json.dumps({"nodes": list(nodes.values()), "job": nodes[job.node_id], "task": nodes[free],
                  "folder": os.path.dirname(os.environ["RAY_AUTH_TOKEN_PATH"])}))
END
exit 7
"""

# Nodes join a head without any while a run waits for them; the last one sees an empty folder where the storage is.
JOINING = """
import contextlib, sys, threading, time
from slam_ray.config import ExecutionConfig, InputError
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.cluster.local.head import local_node, local_ray
from slam_ray.store.local import LocalLocation

storage, model, inside = LocalLocation(sys.argv[1]), LocalLocation(sys.argv[2]), sys.argv[3:]
one = {"counting_actors": 1, "training_workers": 1, "engines": 1}

def refused(cluster):
    try:
        cluster.workers("counting")
    except InputError as error:
        print("refused:", error, flush=True)

with local_ray(cpus=0) as head, contextlib.ExitStack() as nodes:
    with RayCluster(ExecutionConfig(**one)) as cluster:
        refused(cluster)
    with RayCluster(ExecutionConfig(**one, node_wait_s=1)) as cluster:
        refused(cluster)
    with RayCluster(ExecutionConfig(**one, node_wait_s=120), storage=storage) as cluster:
        cluster.require([model / name for name in ("config.json", "model.safetensors", "tokenizer.json")])
        threading.Timer(1, lambda: nodes.enter_context(local_node(head, 1, {}))).start()
        print("got", cluster.workers("counting").count, flush=True)
        if inside:
            nodes.enter_context(local_node(head, 1, {}, inside))
            refused(cluster)
    with RayCluster(ExecutionConfig(**one, device="gpu")) as cluster:
        refused(cluster)
print("left in the storage:", list(storage.iterdir()))
"""


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    hidden = ("RAY_", "SLAM_RAY_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {name: value for name, value in os.environ.items() if name == "RAY_worker_register_timeout_seconds"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=400
    )


def test_the_head_does_no_work_and_drivers_sit_on_their_node(ray_cluster: LocalRay) -> None:
    done = run(["cluster/local_nodes.sh", "--workers", "2", "--cpus", "1", "--", "bash", "-c", ROLES])
    assert done.returncode == 7, done.stdout
    assert "the job runs" in done.stdout
    said = json.loads(done.stdout.splitlines()[-1])
    head, *others = sorted(said["nodes"], key=lambda node: "node:__internal_head__" not in node)
    assert "CPU" not in head
    assert sorted(node.get("CPU", 0) for node in others) == [0, 1, 1]
    assert "driver" in said["job"]
    assert said["task"]["CPU"] == 1
    assert not Path(said["folder"]).exists()
    left = [process.pid for process in psutil.process_iter(["cmdline"]) if said["folder"] in str(process.info)]
    assert left == [], "a process of the nodes outlived the command"
    import ray

    assert ray.nodes()[0]["Alive"], "another Ray of this machine was ended"


def test_a_run_waits_for_nodes_and_wants_them_to_see_its_storage(tmp_path: Path) -> None:
    namespaces = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    hide = f'mount -t tmpfs none "{tmp_path}" && exec "$@"'
    inside = [*UNSHARE, "sh", "-c", hide, "sh"] if namespaces else []
    storage, model = tmp_path / "storage", tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (model / name).touch()
    done = run([sys.executable, "-c", JOINING, str(storage), str(model), *inside])
    assert done.returncode == 0, done.stdout
    lines = [line for line in done.stdout.splitlines() if not line.startswith("  training")]
    no_room = "  counting: 1 workers of 1 CPU each, but there is room for 0"
    assert lines[0] == "refused: this cluster can never run this configuration:"
    assert "refused: no nodes came within 1 s for this configuration:" in lines
    assert [line for line in lines if line.startswith(no_room)], done.stdout
    assert f"waiting for nodes: {no_room.strip()}" in done.stdout
    assert "got 1" in lines
    assert "counting: 1 workers of 1 CPU and 1 GPU each, but there is room for 0" in done.stdout
    assert lines[-1] == "left in the storage: []"
    if not namespaces:
        pytest.skip("this machine gives no mount namespace in which a node would not see the storage")
    assert f"does not see {storage} and {model / 'config.json'} and 2 more files as the driver does" in done.stdout

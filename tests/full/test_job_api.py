"""Every job by `ray job submit` on a cluster with a driver node, on which slam_ray is not installed.

What travels, what is logged, and how a job is stopped.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from ray.job_submission import JobStatus, JobSubmissionClient

from slam_ray.cluster.local.head import LocalRay
from slam_ray.cluster.local.nodes import local_nodes
from tests.faults.runs import SETTINGS, artifact, artifacts, in_train
from tests.nodes import ROOT, assert_nothing_left, at_work
from tests.search import SETTINGS as SEARCH_SETTINGS

pytestmark = pytest.mark.timeout(900)

STOPPED = "stopped; the same command goes on from here"


class Cluster:
    """A head, a driver node and two nodes of two CPUs each, and the checkout that jobs are submitted from."""

    def __init__(self, head: LocalRay, checkout: Path) -> None:
        self.head, self._environment = head, os.environ | head.environment
        self.checkout = checkout

    def submit(self, name: str, *job: str, wait: bool = False) -> "subprocess.Popen[str]":
        """`ray job submit` of `python ...`, as the guides give it."""
        options = ["--entrypoint-resources", '{"driver": 1}', "--working-dir", ".", "--submission-id", name]
        command = ["ray", "job", "submit", *([] if wait else ["--no-wait"]), *options, "--", "python", *job]
        return subprocess.Popen(
            command,
            cwd=self.checkout,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ray(self, *command: str) -> str:
        """Output of `ray job ...`."""
        done = subprocess.run(
            ["ray", "job", *command], env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        return done.stdout

    def log(self, name: str) -> str:
        """What the job has said."""
        return re.sub(r"\x1b\[\d+m", "", self.ray("logs", name))

    def state(self, name: str) -> JobStatus:
        """State of a job."""
        return JobSubmissionClient(self.head.dashboard).get_job_status(name)

    def ended(self, name: str) -> str:
        """State of a job, once it has ended."""
        deadline = time.monotonic() + 400
        while not (state := self.state(name)).is_terminal():
            assert time.monotonic() < deadline, self.log(name)
            time.sleep(0.2)
        return state.value


def python_without_slam_ray(folder: Path) -> Path:
    """The Python of a new virtual environment in `folder`, with all packages of this one but slam_ray."""
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if "slam_ray" not in package.name:
            (packages / package.name).symlink_to(package)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Its nodes have the packages that slam_ray needs; the checkout holds what must not travel."""
    checkout = tmp_path_factory.mktemp("checkout") / "slam_ray"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".git", ".venv", "shared", "*_cache", "__pycache__"))
    for folder in (".git", ".venv", "runs/demo", "data", "models", "artifacts", "limit-24"):
        (checkout / folder).mkdir(parents=True, exist_ok=True)
        (checkout / folder / "large").write_bytes(bytes(1000))
    with pytest.MonkeyPatch.context() as patch:
        python = python_without_slam_ray(tmp_path_factory.mktemp("environment"))
        for programs in (Path(sys.executable).parent, python.parent):  # the former has `ray`
            patch.setenv("PATH", str(programs), prepend=os.pathsep)
        patch.setattr(sys, "executable", str(python))
        patch.delenv("PYTHONPATH", raising=False)
        with local_nodes(workers=2, cpus=2) as head:
            yield Cluster(head, checkout)


def until(cluster: Cluster, name: str, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not reached():
        assert time.monotonic() < deadline, cluster.log(name)
        assert not cluster.state(name).is_terminal(), cluster.log(name)
        time.sleep(0.1)


LISTING = """
import json, os, ray, slam_ray
@ray.remote(num_cpus=2)
def package_of_a_worker():
    import slam_ray
    return slam_ray.__file__
ray.init(logging_level="WARNING")
packages = [slam_ray.__file__, *ray.get([package_of_a_worker.remote() for _ in range(2)])]
files = [os.path.join(folder, name) for folder, _, names in os.walk(".") for name in names]
print(json.dumps({"packages": packages, "files": files}))
"""


def test_what_travels(cluster: Cluster, tmp_path: Path) -> None:
    """The checkout and nothing else of slam_ray, to the driver and the workers."""
    elsewhere = subprocess.run(["python", "-c", "import slam_ray"], cwd=tmp_path, capture_output=True, check=False)
    assert b"No module named 'slam_ray'" in elsewhere.stderr
    said, _ = (process := cluster.submit("listing", "-c", LISTING, wait=True)).communicate()
    assert process.returncode == 0, said
    (line,) = [line for line in said.splitlines() if line.startswith('{"packages"')]
    listed = json.loads(line)
    assert all("/working_dir_files/" in package for package in listed["packages"])
    assert {"./slam_ray/models/families.py", "./slam_ray/demo/data/questions.jsonl"} <= {*listed["files"]}
    assert "large" not in line


def test_a_job_survives_its_submitter_and_is_stopped(cluster: Cluster, tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    main = ["jobs/run_slam.py", "demo", "--storage", str(storage), *SETTINGS]
    submitter = cluster.submit("first", *main, wait=True)
    assert submitter.stdout is not None
    assert any("Running entrypoint" in line for line in submitter.stdout)
    submitter.send_signal(signal.SIGKILL)
    submitter.wait()
    until(cluster, "first", lambda: in_train(artifacts(storage)))
    cluster.ray("stop", "first")
    assert cluster.ended("first") == "STOPPED"
    assert_nothing_left(cluster.head)
    assert_reads_well(said := cluster.log("first"))
    assert_ends_with(said, STOPPED)

    counts = artifact(storage, "count") / "counts.npz"
    responses = tmp_path / "responses.jsonl"
    responses.write_text(json.dumps({"response": "The answer is 4.", "answer": 4}) + "\n")
    for job, last in (
        (["select_layers.py", str(counts)], '"layers":[0,1,2,4]'),
        (["score_responses.py", str(responses), "--language", "en"], '"accuracy": 100.0'),
        (["artifacts.py", "list", "--storage", str(storage / "limit-24")], "train"),
    ):
        name = job[0].removesuffix(".py")
        said, _ = (process := cluster.submit(name, f"jobs/{job[0]}", *job[1:], wait=True)).communicate()
        assert process.returncode == 0, said
        assert last in cluster.log(name)


def test_a_search_that_gets_sigterm_leaves_nothing(cluster: Cluster, tmp_path: Path) -> None:
    settings = [word for key, value in SEARCH_SETTINGS.items() for word in (f"--{key}", str(value))]
    one = ["--execution.training_workers", "1", "--execution.engines", "1", "--search.trials", "4"]
    space = ["--search.space", "{selection.layers: {choice: [0-0, 0-1]}}"]
    cluster.submit(
        "search", "jobs/search_layers.py", "demo", "--storage", str(tmp_path), *settings, *one, *space
    ).wait()
    until(cluster, "search", lambda: any("RayTrainWorker" in title for title in at_work()))
    (driver,) = [each for each in psutil.Process().children(recursive=True) if is_driver(each)]
    driver.terminate()
    assert cluster.ended("search") == "FAILED"
    assert_nothing_left(cluster.head)
    assert_reads_well(said := cluster.log("search"))
    assert_ends_with(said, STOPPED)


def is_driver(process: psutil.Process) -> bool:
    try:
        command = process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
    return "jobs/search_layers.py" in command and "python" in command[0]


def test_a_model_is_evaluated(cluster: Cluster, tmp_path: Path) -> None:
    base = ROOT / "slam_ray" / "demo" / "models" / "base"
    problems = ROOT / "slam_ray" / "demo" / "data" / "test.jsonl"
    asked = ["--corpora.benchmarks.own", str(problems), "--limit", "4", "--evaluation.max_new_tokens", "160"]
    cluster.submit("evaluation", "jobs/evaluate_model.py", str(base), *asked, "--storage", str(tmp_path)).wait()
    assert cluster.ended("evaluation") == "SUCCEEDED", cluster.log("evaluation")
    assert_reads_well(said := cluster.log("evaluation"))
    assert "scores: " in said.splitlines()[-1]


def assert_reads_well(log: str) -> None:
    """No stack, no error of Ray's core and no warning but Tune's of trial 0; workers say what step is how far."""
    known = r"\((RayTrainWorker|run_trial) pid=\d+\) (  \w+: |Setting up process group)|.* Pre-set value"
    for line in log.splitlines():
        if not re.match(known, line):
            assert not re.search(r"Traceback|\*\*\*|Warning|WARNING|ERROR|pid=|^\[.* [EF] \d+ \d+\]", line), log


def assert_ends_with(log: str, line: str) -> None:
    """The job's own last line; what its workers said in the last moment may come after it."""
    assert [each for each in log.splitlines() if each and not each.startswith("(")][-1] == line

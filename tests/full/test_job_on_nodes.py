"""The main job on several nodes, by the command of the guide: its driver on the driver node, its head without work."""

import json
import re
import signal
import subprocess
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


def test_the_main_job_runs_on_several_nodes(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "gpu-machine.md").read_text().replace("\\\n", " ")
    (command,) = re.findall(r"^cluster/local_nodes.sh .*run_slam.*$", guide, re.MULTILINE)
    run = subprocess.run(
        ["bash", "-c", command.replace("/tmp/slam_ray", str(tmp_path))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout
    folder = tmp_path / "limit-24" / "runs" / "demo"
    assert f"report: {folder}/index.html" in run.stdout
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["selected_layers"] == [0, 1, 2, 4]
    assert {"count", "train", "report"} <= summary["seconds"].keys()
    assert not list(tmp_path.rglob(".seen-*"))


def test_nodes_end_when_what_started_them_is_killed() -> None:
    show = 'dirname "$RAY_AUTH_TOKEN_PATH"; exec sleep 5'
    nodes = subprocess.Popen(
        [ROOT / "cluster" / "local_nodes.sh", "--workers", "1", "--", "bash", "-c", show],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert nodes.stdout is not None
    folder = nodes.stdout.readline().strip()
    started = psutil.Process(nodes.pid).children(recursive=True)
    assert sum("raylet" in process.name() for process in started) == 3
    nodes.send_signal(signal.SIGKILL)
    nodes.wait()
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []
    assert not Path(folder).exists()

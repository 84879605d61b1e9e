"""The main job on several nodes, by the command of the guide: its driver on the driver node, its head without work."""

import json
import re
import subprocess
from pathlib import Path

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

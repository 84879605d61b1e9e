"""A checkout in miniature whose only job does what a test wants, to submit it as `make demo` submits the real one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Counts to its first argument and exits with its second; done once the folder of results holds `done`.
JOB = """
import os, sys, time
from pathlib import Path
results = Path(os.environ["SLAM_RAY_STORAGE"])
if "--dry-run" in sys.argv:
    sys.exit(0 if (results / "done").exists() else 3 if len(sys.argv) == 4 else 2)
print("job in", Path.cwd(), "on", os.environ.get("RAY_ADDRESS"), flush=True)
for second in range(int(sys.argv[1])):
    print("second", second, flush=True)
    time.sleep(1)
(results / "done").touch()
print("report: here", flush=True)
sys.exit(int(sys.argv[2]))
"""


def small_checkout(folder: Path) -> Path:
    """Write the checkout into the new `folder`; its job is jobs/count.py SECONDS EXIT_CODE."""
    for package in ("config", "pipeline"):
        shutil.copytree(ROOT / "slam_ray" / package, folder / "slam_ray" / package)
    shutil.copytree(ROOT / "slam_ray" / "presets", folder / "slam_ray" / "presets")
    shutil.copy(ROOT / "slam_ray" / "__init__.py", folder / "slam_ray")
    (folder / "jobs").mkdir()
    shutil.copy(ROOT / "jobs" / "submit_local.py", folder / "jobs")
    (folder / "jobs" / "count.py").write_text(JOB)
    return folder


def submit(checkout: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `python jobs/submit_local.py -- python jobs/count.py ARGUMENTS` there, as from a plain shell."""
    hidden = ("RAY_", "SLAM_RAY_", "PYTHONPATH")
    return subprocess.Popen(
        [sys.executable, checkout / "jobs" / "submit_local.py", "--", "python", "jobs/count.py", *arguments],
        cwd=checkout.parent,
        env={name: value for name, value in os.environ.items() if not name.startswith(hidden)},
        stdout=subprocess.PIPE,
        text=True,
    )

"""A small checkout with a job that does what a test wants, to be submitted as `make demo` submits the real one."""

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
    shutil.copytree(ROOT / "slam_ray", folder / "slam_ray", ignore=shutil.ignore_patterns("demo", "__pycache__"))
    (folder / "jobs").mkdir()
    (folder / "jobs" / "count.py").write_text(JOB)
    return folder


def submit(checkout: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `slam-ray submit-local -- python jobs/count.py ARGUMENTS` of that checkout, as from a plain shell."""
    hidden = ("RAY_", "SLAM_RAY_", "PYTHONPATH")
    command = f"import sys; sys.path.insert(0, {str(checkout)!r}); from slam_ray.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", command, "submit-local", "--", "python", "jobs/count.py", *arguments],
        cwd=checkout.parent,
        env={name: value for name, value in os.environ.items() if not name.startswith(hidden)},
        stdout=subprocess.PIPE,
        text=True,
    )

"""Where to go on when Ray Train cannot: what it knows of its checkpoints is a file that it writes in place.

A kill, or a full disk, in the moment of writing leaves it torn, and Ray Train would then refuse the run for good. The
checkpoints that it spoke of are still there: one is only removed once the file that names a later one is written.
"""

import json

from safetensors import SafetensorError, safe_open

from slam_ray.pipeline.location import Location

SNAPSHOT = "checkpoint_manager_snapshot.json"
TENSORS_FILE = "tensors.safetensors"
PROGRESS_FILE = "progress.json"


def last_whole(run: Location) -> Location | None:
    """The last whole checkpoint in a run's folder, if Ray Train knows of none there; its file is removed if torn."""
    snapshot = run / SNAPSHOT
    try:
        json.loads(snapshot.read_bytes())
    except FileNotFoundError:
        pass
    except ValueError:
        snapshot.remove()
    else:
        return None
    names = sorted((name for name in run.folders() if name.startswith("checkpoint_")), reverse=True)
    return next((run / name for name in names if _is_whole(run / name)), None)


def _is_whole(checkpoint: Location) -> bool:
    try:
        json.loads((checkpoint / PROGRESS_FILE).read_bytes())
        # Opening compares the file's length with what it should be.
        with checkpoint.copied() as folder, safe_open(folder / TENSORS_FILE, framework="np"):
            return True
    except (OSError, ValueError, SafetensorError):
        return False

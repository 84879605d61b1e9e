"""The checkpoint to go on from where Ray Train cannot tell: it lists its checkpoints in a file that it writes in place.

A kill or a full disk while it writes tears that file, and Ray Train then refuses the run for good. The checkpoints that
the file named are still there: Ray Train removes one only after it has written a file that names a later one.
"""

import json

from safetensors import SafetensorError, safe_open

from slam_ray.store.location import Location

SNAPSHOT = "checkpoint_manager_snapshot.json"
TENSORS_FILE = "tensors.safetensors"
PROGRESS_FILE = "progress.json"


def last_complete_checkpoint(run: Location) -> Location | None:
    """The last complete checkpoint in a run's folder; None where Ray Train's own list is whole and so decides.

    A torn list is removed.
    """
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
    return next((run / name for name in names if _is_complete(run / name)), None)


def _is_complete(checkpoint: Location) -> bool:
    try:
        json.loads((checkpoint / PROGRESS_FILE).read_bytes())
        # Opening compares the file's length with what its header says.
        with checkpoint.local_folder() as folder, safe_open(folder / TENSORS_FILE, framework="np"):
            return True
    except (OSError, ValueError, SafetensorError):
        return False

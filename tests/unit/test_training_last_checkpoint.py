"""Which checkpoint a training goes on from when a kill, or a full disk, tore the file in which Ray Train lists them."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from slam_ray.store.local import LocalLocation
from slam_ray.training.last_checkpoint import PROGRESS_FILE, SNAPSHOT, TENSORS_FILE, last_complete_checkpoint


def checkpoint(run: LocalLocation, name: str) -> LocalLocation:
    folder = run / f"checkpoint_{name}"
    folder.mkdir()
    save_file({"w": np.ones(100, np.float32)}, folder / TENSORS_FILE)
    (folder / PROGRESS_FILE).write_text("{}")
    return folder


def test_the_last_complete_checkpoint_checkpoint_stands_in_for_a_torn_list(tmp_path: Path) -> None:
    run = LocalLocation(tmp_path)
    assert last_complete_checkpoint(run) is None
    one, two, three = (checkpoint(run, name) for name in "123")
    (run / SNAPSHOT).write_text("{}")
    assert last_complete_checkpoint(run) is None, "Ray Train goes on by itself"
    (run / SNAPSHOT).write_text('{"checkpoint_res')
    assert last_complete_checkpoint(run) == three
    assert not (run / SNAPSHOT).exists()
    (three / TENSORS_FILE).write_bytes((three / TENSORS_FILE).read_bytes()[:-1])
    assert last_complete_checkpoint(run) == two
    (two / PROGRESS_FILE).unlink()
    assert last_complete_checkpoint(run) == one

"""Which checkpoint a training goes on from when a kill, or a full disk, tore the file in which Ray Train lists them."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from slam_ray.pipeline.location import Folder
from slam_ray.training.snapshot import PROGRESS_FILE, SNAPSHOT, TENSORS_FILE, last_whole


def checkpoint(run: Folder, name: str) -> Folder:
    folder = run / f"checkpoint_{name}"
    folder.mkdir()
    save_file({"w": np.ones(100, np.float32)}, folder / TENSORS_FILE)
    (folder / PROGRESS_FILE).write_text("{}")
    return folder


def test_the_last_whole_checkpoint_stands_in_for_a_torn_list(tmp_path: Path) -> None:
    run = Folder(tmp_path)
    assert last_whole(run) is None
    one, two, three = (checkpoint(run, name) for name in "123")
    (run / SNAPSHOT).write_text("{}")
    assert last_whole(run) is None, "Ray Train goes on by itself"
    (run / SNAPSHOT).write_text('{"checkpoint_res')
    assert last_whole(run) == three
    assert not (run / SNAPSHOT).exists()
    (three / TENSORS_FILE).write_bytes((three / TENSORS_FILE).read_bytes()[:-1])
    assert last_whole(run) == two
    (two / PROGRESS_FILE).unlink()
    assert last_whole(run) == one

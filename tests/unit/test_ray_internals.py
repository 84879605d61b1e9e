"""A new version of Ray may change its private names, so one file alone has them."""

import re
from pathlib import Path

import slam_ray
from slam_ray.cluster import ray_internals

PRIVATE = re.compile(
    r"\bray\._private|\bray\._raylet|\bray\.core\.generated|\bray\.[\w.]*_internal|internal_ref_bundles"
    r"|_register_sigint_handler|\._ot_trials|\._trial_info"
)


def test_private_names_of_ray_stand_in_one_file_alone() -> None:
    files = [file for folder in slam_ray.__path__ for file in Path(folder).rglob("*.py")]
    assert len(files) > 50
    users = [file for file in files if PRIVATE.search(file.read_text())]
    assert users == [Path(ray_internals.__file__)]

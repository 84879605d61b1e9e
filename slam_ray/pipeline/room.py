"""A full disk is the user's to mend, and said as such: in one message that names the folder."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from slam_ray.config import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def room_in(folder: object) -> Iterator[None]:
    """While files are written into `folder`; raises InputError when its disk, or its owner's quota, is full."""
    try:
        yield
    except Exception as error:
        # Rust code (safetensors) raises errors of its own, which hold the system's message alone.
        if isinstance(error, InputError) or not (
            getattr(error, "errno", None) in FULL or "No space left on device" in str(error)
        ):
            raise
        raise InputError(
            f"no space is left in {folder}: make room there (`python jobs/artifacts.py gc` removes what no run names)"
            " and give the same command again; what is finished is kept"
        ) from error

"""A full disk is an error that the user can mend, so it becomes one message that names the folder."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from slam_ray.config import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def full_disk_as_input_error(folder: object) -> Iterator[None]:
    """Raise InputError if the disk of `folder`, or its owner's quota, is full when the block writes into it."""
    try:
        yield
    except Exception as error:
        # Rust code (safetensors) raises errors of its own, of which only the message is the system's.
        if isinstance(error, InputError) or not (
            getattr(error, "errno", None) in FULL or "No space left on device" in str(error)
        ):
            raise
        raise InputError(
            f"no space is left in {folder}: make room there (`slam-ray artifacts gc` removes what no run names)"
            " and give the same command again; what is finished is kept"
        ) from error

"""A lock in a bucket: a key that its owner replaces every few seconds, on the condition that nobody else has.

A run that waits replaces a key that has stood still for long, on the same condition, so one run alone takes it over.
The run that was silent (suspended, or cut off from the bucket) then fails to replace the key, and stops.
"""

import _thread
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from slam_ray.config import InputError

if TYPE_CHECKING:
    from slam_ray.store.s3 import S3Location

# Seconds between two beats of the owner, and after how long without one it is taken for dead.
BEAT_S, SILENT_S = 10.0, 45.0


@contextmanager
def s3_lock(key: "S3Location", message: str, before_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock at `key` within the block; see `Location.lock`."""
    owner = secrets.token_hex(8)
    e_tag = _acquire(key, owner, message, before_waiting)
    ended, lost = threading.Event(), threading.Event()
    in_main_thread = threading.current_thread() is threading.main_thread()

    def beat() -> None:
        nonlocal e_tag
        beats = 1
        while not ended.wait(BEAT_S):
            with suppress(OSError):  # the work meets an outage by itself
                replaced = key.write_if(e_tag, f"{owner} {beats}".encode())
                if replaced is None:
                    lost.set()
                    if in_main_thread:
                        _thread.interrupt_main()  # as Ctrl-C does; also where the system's signal is blocked
                    return
                e_tag, beats = replaced, beats + 1

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()
        if lost.is_set() or key.write_if(e_tag, f"{owner} ends".encode()) is None:
            raise InputError(
                f"{key}: nothing was heard of this run for {SILENT_S:.0f} s, so another run has taken this work over;"
                " give the same command again: it keeps what that one makes"
            ) from None
        key.remove()  # nobody takes over what was replaced just now


def _acquire(key: "S3Location", owner: str, message: str, before_waiting: Callable[[], None]) -> str:
    """Wait until the lock is free or its owner silent; the e-tag of the key that is this run's then."""
    content = f"{owner} begins".encode()
    last, looks, told = None, 0, False
    while (e_tag := key.write_if(None, content)) is None:
        if not told:
            print(f"{message} (or until it has been silent for {SILENT_S:.0f} s)", flush=True)
            before_waiting()
            told = True
        # Looks of a second each are counted, not the clock: while the storage is away no owner can beat.
        seen = key.e_tag()
        last, looks = seen, looks + 1 if seen == last else 0
        if seen is not None and looks > SILENT_S and (e_tag := key.write_if(seen, content)) is not None:
            break
        time.sleep(1)
    return e_tag

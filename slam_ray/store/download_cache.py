"""Files that were fetched from a bucket, kept on this machine under their SHA-256, within a bound."""

import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FOLDER = Path("~/.cache/slam_ray/storage")
MAX_BYTES = 50_000_000_000
# A path that was returned is not removed for so long, and never by the process that it was returned to.
KEPT_S = 24 * 3600.0

_returned: set[Path] = set()


def cached_file(digest: str, name: str, fetch: Callable[[Path], None]) -> Path:
    """The file with this SHA-256; `fetch` writes it if there is none yet, and raises an error if it cannot."""
    file = FOLDER.expanduser() / digest / name
    _returned.add(file)
    try:
        os.utime(file)  # the time of its last use
    except FileNotFoundError:
        draft = file.with_name(f"{name}.{secrets.token_hex(6)}.draft")
        try:
            fetch(draft)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
        _remove_least_recently_used()
    return file


def _remove_least_recently_used() -> None:
    """Remove files until `MAX_BYTES` are kept, but none that may be in use; drafts of killed runs are among them."""
    states = {}
    for file in FOLDER.expanduser().glob("*/*"):
        with suppress(FileNotFoundError):  # another process may remove files too
            states[file] = file.stat()
    excess = sum(state.st_size for state in states.values()) - MAX_BYTES
    for file, state in sorted(states.items(), key=lambda item: item[1].st_mtime):
        if excess <= 0 or time.time() - state.st_mtime < KEPT_S:
            return
        if file not in _returned:
            file.unlink(missing_ok=True)
            excess -= state.st_size
            with suppress(OSError):  # it holds another file
                file.parent.rmdir()

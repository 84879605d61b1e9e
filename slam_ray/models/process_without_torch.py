"""Call a function in a process of its own that finds no torch, and that ends with the call.

transformers imports all of torch for a tokenizer, which needs nothing of it. A dry run has no time for that.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from slam_ray.config import InputError

T = TypeVar("T")


def prepare_process_without_torch() -> None:
    """Have what such a process imports be imported from now on, beside what this one does until the call."""
    multiprocessing.set_forkserver_preload(["slam_ray.models.tokenizers_without_torch"])
    forkserver.ensure_running()


def call_without_torch(function: Callable[..., T], *arguments: Any) -> T:
    """What `function` returns in a new process, or in this one if torch is imported already.

    Raises:
        InputError: the function raised it.
        RuntimeError: the function raised another error, which its process printed, or the process was killed.
    """
    if "torch" in sys.modules:
        return function(*arguments)
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sender, function, arguments), daemon=True)
    process.start()
    sender.close()
    try:
        outcome: T | InputError = receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{function.__name__} ended with exit code {process.exitcode}") from None
    except BaseException:
        process.kill()
        raise
    finally:
        process.join()
    if isinstance(outcome, InputError):
        raise outcome
    return outcome


def _call(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the caller too, who ends this process
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # transformers would complain that there is no torch
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        outcome = function(*arguments)
    except InputError as error:
        outcome = error
    sender.send(outcome)

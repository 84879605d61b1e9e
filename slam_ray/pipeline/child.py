"""A function called in a process of its own that ends with it, and to which torch is not there.

transformers imports all of torch for a tokenizer, which needs nothing of it: seconds that a dry run does not have.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from slam_ray.config import InputError

T = TypeVar("T")


def call_without_torch(function: Callable[..., T], *arguments: Any) -> T:
    """What `function` returns in its process, or in this one if torch is there already.

    Raises:
        InputError: the function raised it.
        RuntimeError: it raised something else, which its process has printed, or was killed.
    """
    if "torch" in sys.modules:
        return function(*arguments)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(there, function, arguments), daemon=True)
    process.start()
    there.close()
    try:
        outcome: T | InputError = here.recv()
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


def _answer(answer: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller gets it too, and ends this process
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # it would say that there is no torch
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        outcome = function(*arguments)
    except InputError as error:
        outcome = error
    answer.send(outcome)

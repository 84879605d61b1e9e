"""The commands of `slam-ray`, one file each: parse, connect, run, print."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import Any

from slam_ray.config.errors import BAD_INPUT, InputError, nearest

COMMANDS = {
    "run": "find the layers that handle the input language, tune their FFNs, measure what changed",
    "evaluate": "have a model answer benchmarks, and score its answers",
    "search": "find the layers, and the hyper-parameters, that are best for one model",
    "select": "select layers from a file of counts, without running a model",
    "score": "score responses that exist already",
    "artifacts": "list what a storage keeps, say why it is there, remove what no run names",
    "submit-local": "run a job of this checkout on a Ray of its own",
}
LONGEST_MESSAGE = 1900  # characters; a message may quote a whole file


def main(argv: Sequence[str] | None = None) -> int:
    """Run `slam-ray COMMAND ...`, by default of this process's arguments; returns the exit code."""
    command, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    signals: list[int] = []
    # Texts are some hundred thousand small objects at a time, none of them in a cycle. At Python's own threshold, 700,
    # it would look through them again and again.
    gc.set_threshold(100_000)

    def stop(number: int, frame: Any) -> None:
        signals.append(number)
        if len(signals) == 1:
            # `ray job stop` kills after some seconds, so this is printed before anything is ended. Where nobody reads
            # it, an error of that would be lost inside `ray.get`, and the signal with it.
            with suppress(OSError):
                os.write(sys.stderr.fileno(), b"\nstopped; the same command goes on from here\n")
            raise KeyboardInterrupt

    with ExitStack() as handlers:
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers.callback(signal.signal, number, signal.signal(number, stop))
        try:
            return _run(command, arguments)
        except InputError as error:
            print(f"error: {_readable(str(error))}", file=sys.stderr, flush=True)
            return BAD_INPUT
        except KeyboardInterrupt:
            return 128 + signals[0]  # as a shell says it


def _run(command: str, arguments: Sequence[str]) -> int:
    if command in ("-h", "--help"):
        lines = [f"  {name:<14}{text}" for name, text in COMMANDS.items()]
        print("usage: slam-ray COMMAND ...\n", *lines, "\nslam-ray COMMAND --help says more of each.", sep="\n")
        return 0
    if command not in COMMANDS:
        raise InputError(f"unknown command {command!r}: {nearest(command, COMMANDS)}")
    return int(import_module(f"slam_ray.cli.{command.replace('-', '_')}").main(arguments))


def _readable(message: str) -> str:
    """A message cut in its middle if it is long, without characters that would steer the terminal."""
    readable = "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in message
    )
    if len(readable) > LONGEST_MESSAGE:
        return f"{readable[: LONGEST_MESSAGE // 2]} [...] {readable[-LONGEST_MESSAGE // 2 :]}"
    return readable

"""Connecting this process to Ray: to the cluster that it is started on, or else to a Ray of its own on this machine."""

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def connected() -> Iterator[None]:
    """Be connected for the block; a connection that this process has already is used and left as it is."""
    import ray

    with contextlib.ExitStack() as stack:
        if not ray.is_initialized():
            if not os.environ.get("RAY_ADDRESS"):
                from slam_ray.cluster.local.head import local_ray

                stack.enter_context(local_ray())
            on_sigterm = signal.getsignal(signal.SIGTERM)
            ray.init(logging_level=logging.WARNING)
            stack.callback(ray.shutdown)
            signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own prints the stack and ends the process
        yield


def alive_nodes() -> list[dict[str, Any]]:
    """The entries of `ray.nodes()` that are alive."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def node_resources() -> list[dict[str, float]]:
    """What each node of the cluster has in all."""
    return [node["Resources"] for node in alive_nodes()]

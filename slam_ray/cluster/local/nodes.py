"""A cluster of several Ray nodes on this machine, for as long as a command runs: cluster/local_nodes.sh starts it.

As on real clusters the head does no work, a driver node carries what `--entrypoint-resources '{"driver": 1}'` asks
for, and the others work. All nodes see one disk, so a storage that only one machine has is not noticed here.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from slam_ray.cluster.local.head import LocalRay, local_node, local_ray

DRIVER = {"driver": 1.0}


@contextlib.contextmanager
def local_nodes(workers: int, cpus: int) -> Iterator[LocalRay]:
    """A head without CPUs, a driver node without CPUs, and `workers` nodes of `cpus` logical CPUs each."""
    with contextlib.ExitStack() as stack:
        head = stack.enter_context(local_ray(cpus=0))
        for node in range(1 + workers):
            stack.enter_context(local_node(head, cpus if node else 0, {} if node else DRIVER))
        yield head


def main(argv: Sequence[str]) -> int:
    """Run a command against such a cluster; its exit code."""
    parser = argparse.ArgumentParser("cluster/local_nodes.sh", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="nodes that work [%(default)s]")
    parser.add_argument("--cpus", type=int, default=1, help="logical CPUs of each [%(default)s]")
    parser.add_argument("command", nargs="+", metavar="-- COMMAND", help="what to run; `bash` to look around")
    options = parser.parse_args(argv)
    with local_nodes(options.workers, options.cpus) as head:
        return subprocess.run(options.command, env=os.environ | head.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""One more node of a Ray on this machine's loopback device: `python node.py ADDRESS CPUS RESOURCES`, until it is ended.

`ray start --address` would turn 127.0.0.1 into the machine's outer address, where that Ray does not listen.
"""

import json
import os
import sys
import time

from ray._private.node import Node
from ray._private.parameter import RayParams

LOOPBACK = "127.0.0.1"


def main(address: str, cpus: str, resources: str) -> None:
    """Start the node's processes and wait until one of them ends, or this one is ended.

    Args:
        address: "host:port" of the head.
        cpus: logical CPUs of the node.
        resources: its other resources, as a JSON object.
    """
    parameters = RayParams(
        gcs_address=address,
        node_ip_address=LOOPBACK,
        num_cpus=int(cpus),
        resources=json.loads(resources),
        # 0 is any free port, as for the head; the machine's logs are the head's.
        min_worker_port=0,
        max_worker_port=0,
        node_manager_port=0,
        dashboard_agent_listen_port=0,
        # Its own: a node that unpacks a job's working directory removes what is there, also under others' workers.
        runtime_env_dir_name=f"runtime_resources_{os.getpid()}",
        include_log_monitor=False,  # type: ignore[arg-type]  # the annotation there is wrong
        object_store_memory=256 * 2**20,  # by default each node would take its share of the whole machine's memory
    )
    node = Node(parameters, head=False, shutdown_at_exit=True, spawn_reaper=False)
    while not node.dead_processes():
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])

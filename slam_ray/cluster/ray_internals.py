"""Every private name of Ray that we use, for what its public interface lacks; those of ray 2.60, which is pinned.

Ray is imported with this module, so callers import it where they start to need Ray; Ray Data and Ray Train, which are
heavier, are imported by the functions that need them. As a program, it is a node of a Ray on this machine (see
`run_node`); it is then run by its path, so it imports nothing of slam_ray, which need not be found there.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray._private import ray_constants
from ray._private.state import available_resources_per_node, state
from ray._raylet import AuthenticationTokenLoader, Config, GcsClient, PlacementGroupID
from ray.core.generated.gcs_pb2 import ActorTableData, GcsNodeInfo, PlacementGroupTableData  # type: ignore[attr-defined]
from ray.util import remove_placement_group
from ray.util.placement_group import PlacementGroup


def free_resources() -> list[dict[str, float]]:
    """What is free on each node of the cluster."""
    return list(available_resources_per_node().values())


def living_actors_of_this_process() -> list[str]:
    """Class names of the actors that hold CPUs or GPUs and that this process, or one of its actors, started; sorted."""
    context = ray.get_runtime_context()
    # The public listing of actors goes through the dashboard, and does not say who started them.
    table = state._connect_and_get_accessor().get_actor_table(ray.JobID.from_hex(context.get_job_id()), None)
    actors: list[Any] = [ActorTableData.FromString(entry) for entry in table]
    processes, known = {bytes.fromhex(context.get_worker_id())}, 0
    while known != len(processes):
        known = len(processes)
        processes |= {actor.address.worker_id for actor in actors if actor.owner_address.worker_id in processes}
    return sorted(
        actor.class_name
        for actor in actors
        if actor.owner_address.worker_id in processes
        and actor.state != ActorTableData.DEAD
        and any(actor.required_resources.get(name, 0) > 0 for name in ("CPU", "GPU"))
    )


def remove_orphaned_placement_groups() -> None:
    """Remove this job's placement groups whose creating actor is dead: Ray would keep them until the job's end.

    Ray Train removes those of a controller that was killed, but only once all its workers have started.
    """
    job = bytes.fromhex(ray.get_runtime_context().get_job_id())
    for entry in state._connect_and_get_accessor().get_placement_group_table():
        group = PlacementGroupTableData.FromString(entry)
        removed = group.state == PlacementGroupTableData.REMOVED
        if group.creator_job_id == job and group.creator_actor_id and group.creator_actor_dead and not removed:
            remove_placement_group(PlacementGroup(PlacementGroupID(group.placement_group_id)))


def job_is_over() -> bool:
    """Whether the job that this process works for has ended."""
    job = ray.get_runtime_context().get_job_id()
    return any(entry["JobID"] == job and entry["IsDead"] for entry in state.job_table())


# Ray Data


def send_actor_arguments_with_the_call() -> None:
    """Have the actors of this process's maps get their function and Ray Data's context in the call that creates them.

    Ray Data sends them by way of the object store, where a restarted actor may miss them; it says so at the start of
    every map, in a line that looks like an error (Ray's issue 53727).
    """
    from ray.data._internal.execution.operators.actor_pool_map_operator import ActorPoolMapOperator

    # Both are cached properties that put a value into the object store and give the reference to it.
    values = {
        "_map_transformer_ref": property(lambda operator: operator._map_transformer),
        "_data_context_ref": property(lambda operator: operator.data_context),
    }
    for name, value in values.items():
        assert hasattr(ActorPoolMapOperator, name), f"ray.data has no {name} any more"
        setattr(ActorPoolMapOperator, name, value)


def silence_data_progress() -> None:
    """Have Ray Data not say that it shows no progress bars."""
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)


def rows_of(dataset: Any) -> Iterator[dict[str, Any]]:
    """The rows of a Ray Data dataset as they are finished.

    `Dataset.iter_rows` fetches in threads that outlive an error, and one that calls Ray after its shutdown ends the
    process before the error is said.
    """
    from ray.data.block import BlockAccessor

    for bundle in dataset.iter_internal_ref_bundles():
        for block in bundle.blocks:
            accessor: Any = BlockAccessor.for_block(ray.get(block.ref))
            yield from accessor.iter_rows(public_row_format=True)


# Ray Train


def before_workers_start(check: Callable[[], None]) -> Any:
    """A callback of Ray Train that calls `check` in its controller, before that asks for a placement group."""
    from ray.train.v2._internal.execution.callback import WorkerGroupCallback

    class BeforeWorkersStart(WorkerGroupCallback):
        def before_worker_group_start(self, worker_group_context: Any) -> None:
            check()

    return BeforeWorkersStart()


def torch_trainer(train_loop: Callable[..., Any], **options: Any) -> Any:
    """A TorchTrainer that leaves Ctrl-C to the run; Ray Train would keep the signal for good and exit with code 0."""
    from ray.train.torch import TorchTrainer

    class Trainer(TorchTrainer):
        def _register_sigint_handler(self, controller: object) -> None:
            pass

    return Trainer(train_loop, **options)


def silence_worker_errors() -> None:
    """Have Ray Train not show the stack of an error that a worker raises; for errors that the driver says."""
    logging.getLogger("ray.train.v2._internal.util").disabled = True


# Ray Tune


def optuna_knows(searcher: Any, trial_id: str) -> bool:
    """Whether Tune's Optuna searcher has drawn the point of this trial."""
    return trial_id in searcher._ot_trials


def enter_rung(scheduler: Any, trial: Any, time: int, accuracy: float) -> None:
    """Tell Tune's ASHA scheduler of a rung that a trial reached before the search was killed."""
    scheduler._trial_info[trial.trial_id].on_result(trial, time, accuracy)


# Nodes on this machine


def read_environment_again() -> None:
    """Have Ray notice variables that were set after it was imported; it reads them once, at import or first use."""
    ray_constants.ENABLE_RAY_CLUSTER = os.environ.get(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR) != "0"
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def alive_node_ids(address: str) -> set[bytes]:
    """The ids of the nodes alive in the cluster of a head at "host:port", of which this process need be no driver."""
    nodes = GcsClient(address=address).get_all_node_info(timeout=30).values()
    return {node.node_id for node in nodes if node.state == GcsNodeInfo.ALIVE}


def run_node(address: str, ip_address: str, cpus: str, resources: str) -> None:
    """Start the processes of another node on this machine; returns when one of them has ended.

    `ray start --address` takes no address on the loopback device.

    Args:
        address: "host:port" of the head.
        ip_address: where the node listens.
        cpus: its logical CPUs.
        resources: its other resources, as a JSON object.
    """
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    parameters = RayParams(
        gcs_address=address,
        node_ip_address=ip_address,
        num_cpus=int(cpus),
        resources=json.loads(resources),
        # 0 is any free port, as for the head; the machine's logs are the head's.
        min_worker_port=0,
        max_worker_port=0,
        node_manager_port=0,
        dashboard_agent_listen_port=0,
        # A node that unpacks a job's working directory removes what is there, also under the workers of other nodes.
        runtime_env_dir_name=f"runtime_resources_{os.getpid()}",
        include_log_monitor=False,  # type: ignore[arg-type]  # the annotation there is wrong
        object_store_memory=256 * 2**20,  # by default each node would take its share of the whole machine's memory
    )
    node = Node(parameters, head=False, shutdown_at_exit=True, spawn_reaper=False)
    while not node.dead_processes():
        time.sleep(1)


if __name__ == "__main__":
    run_node(*sys.argv[1:])

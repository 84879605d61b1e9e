"""What is left of a stage: actors that this process started, or they in turn, and that still hold CPUs or GPUs."""

from typing import Any


def left_of_this_process() -> list[str]:
    """Class names of those actors, sorted; Ray's own, which hold nothing, are not among them."""
    import ray
    from ray._private.state import state
    from ray.core.generated.gcs_pb2 import ActorTableData  # type: ignore[attr-defined]

    context = ray.get_runtime_context()
    # The public listing of actors goes through the dashboard, and says nothing of owners.
    accessor = state._connect_and_get_accessor()
    table = accessor.get_actor_table(ray.JobID.from_hex(context.get_job_id()), None)
    actors: list[Any] = [ActorTableData.FromString(each) for each in table]
    below, found = {bytes.fromhex(context.get_worker_id())}, 0
    while found != len(below):
        found = len(below)
        below |= {actor.address.worker_id for actor in actors if actor.owner_address.worker_id in below}
    return sorted(
        actor.class_name
        for actor in actors
        if actor.owner_address.worker_id in below
        and actor.state != ActorTableData.DEAD
        and any(actor.required_resources.get(name, 0) > 0 for name in ("CPU", "GPU"))
    )

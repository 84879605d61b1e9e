"""What is left of a stage: actors that hold CPUs or GPUs, and placement groups of actors that were killed."""

from typing import Any


def left_of_this_process() -> list[str]:
    """Class names of the actors that this process started, or they in turn, and that hold CPUs or GPUs; sorted."""
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


def remove_orphaned_groups() -> None:
    """Remove this job's placement groups whose creating actor is dead: Ray would keep them until the job's end.

    Ray Train looks after those of a controller that was killed, but only once all its workers have started.
    """
    import ray
    from ray._private.state import state
    from ray._raylet import PlacementGroupID
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData  # type: ignore[attr-defined]
    from ray.util import remove_placement_group
    from ray.util.placement_group import PlacementGroup

    job = bytes.fromhex(ray.get_runtime_context().get_job_id())
    for each in state._connect_and_get_accessor().get_placement_group_table():
        group = PlacementGroupTableData.FromString(each)
        removed = group.state == PlacementGroupTableData.REMOVED
        if group.creator_job_id == job and group.creator_actor_id and group.creator_actor_dead and not removed:
            remove_placement_group(PlacementGroup(PlacementGroupID(group.placement_group_id)))

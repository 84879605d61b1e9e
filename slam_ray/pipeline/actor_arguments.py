"""Ray Data hands its actors their arguments by way of the object store, where a restarted actor may miss them.

Ray says so in a line that looks like an error, at the start of every map (its issue 53727). Small arguments travel with
the call that creates the actor instead, and then a restart has them. It concerns ray 2.60, which is pinned.
"""

from ray.data._internal.execution.operators.actor_pool_map_operator import ActorPoolMapOperator


def send_with_the_call() -> None:
    """From now on the actors of this process's maps get their function and Ray Data's context in the call itself."""
    # Both are cached properties that put a value into the object store and give the reference to it.
    given = {
        "_map_transformer_ref": property(lambda operator: operator._map_transformer),
        "_data_context_ref": property(lambda operator: operator.data_context),
    }
    for name, value in given.items():
        assert hasattr(ActorPoolMapOperator, name), f"ray.data has no {name} any more"
        setattr(ActorPoolMapOperator, name, value)

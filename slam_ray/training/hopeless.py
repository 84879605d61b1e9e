"""What a new start of the workers would not mend: seen by Ray Train's controller, which then gives up at once."""

from typing import Any

import ray
from ray._private.state import state
from ray.train import ControllerError, UserCallback
from ray.train.v2._internal.execution.callback import WorkerGroupCallback

from slam_ray.config import InputError


class Hopeless(UserCallback):
    """Ends the training with the InputError that a worker has raised; other errors are Ray Train's to answer."""

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Called with what the workers raised, by rank."""
        for error in worker_exceptions.values():
            if isinstance(error, InputError):
                # As the controller's own error: of any other it would show the stack.
                raise ControllerError(error)


class EndedJob(WorkerGroupCallback):
    """Starts no workers for a job that is over: Ray ends the workers before the controller, which would replace them.

    Nobody would ever remove the placement group that it asks for then.
    """

    def before_worker_group_start(self, worker_group_context: Any) -> None:
        """Called before the placement group is asked for; raises RuntimeError if it should not be."""
        own = ray.get_runtime_context().get_job_id()
        if any(job["JobID"] == own and job["IsDead"] for job in state.job_table()):
            raise RuntimeError("the job is over")

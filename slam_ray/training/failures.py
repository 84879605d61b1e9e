"""Failures that a new start of the workers would not mend: Ray Train's controller asks here, and then gives up."""

from typing import Any

from ray.train import ControllerError, UserCallback

from slam_ray.cluster.ray_internals import job_is_over
from slam_ray.config import InputError


class EndOnInputError(UserCallback):
    """Ends the training with an InputError that a worker raises; Ray Train itself answers all other errors."""

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Called with what the workers raised, by rank."""
        for error in worker_exceptions.values():
            if isinstance(error, InputError):
                # Ray Train shows the stack of every error of a callback but of this class.
                raise ControllerError(error)


def refuse_ended_job() -> None:
    """Raise RuntimeError if this job is over, so that no workers are started for it.

    Ray ends the workers of a job before the controller, which would start others in their stead; the placement group
    that it asks for then is never removed.
    """
    if job_is_over():
        raise RuntimeError("the job is over")

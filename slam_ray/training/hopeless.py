"""What a new start of the workers would not mend: seen by Ray Train's controller, which then gives up at once."""

from typing import Any

from ray.train import UserCallback

from slam_ray.config import InputError


class Hopeless(UserCallback):
    """Raises in the controller the InputError that a worker has raised; other errors are Ray Train's to answer."""

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Called with what the workers raised, by rank."""
        for error in worker_exceptions.values():
            if isinstance(error, InputError):
                raise error

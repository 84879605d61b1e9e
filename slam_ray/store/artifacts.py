"""The artifacts of a storage by the steps that make them, and what follows from their results."""

from pathlib import Path
from typing import Any, TypeVar, overload

from slam_ray.store.location import Location
from slam_ray.store.step import Artifact, Attempt, Derived, HasFingerprint, Identity, Input, NotMade, R, Step, steps_to
from slam_ray.store.storage import Storage
from slam_ray.store.workers import Cluster

T = TypeVar("T")


class Artifacts:
    """What is known of steps so far: those that were looked for in `storage`, or made."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._artifacts: dict[Step[Any], Artifact[Any]] = {}
        self._values: dict[Derived[Any], Any] = {}

    @overload
    def __getitem__(self, item: Input[R]) -> Artifact[R]: ...
    @overload
    def __getitem__(self, item: Derived[T]) -> T: ...
    def __getitem__(self, item: Any) -> Any:
        """The artifact of a step, without a directory while it is not made; or a value that follows from some.

        Raises:
            NotMade: nothing is known of the step, or the value follows from a result that is not there.
        """
        if isinstance(item, Step):
            if item not in self._artifacts:
                raise NotMade(item.label)
            return self._artifacts[item]
        if isinstance(item, Derived):
            if item not in self._values:
                self._values[item] = item.value(self)
            return self._values[item]
        return item

    def identity(self, step: Step[Any]) -> Identity:
        """What decides the step's result; raises `NotMade` where that follows from a result that is not there."""
        # Inputs come first: a file that is missing is an error before any result is waited for.
        inputs = {name: item.fingerprint for name, item in sorted(self.inputs(step).items())}
        config = self[step.config] if isinstance(step.config, Derived) else step.config
        return Identity(step.name, step.version, config.model_dump(mode="json"), inputs)

    def inputs(self, step: Step[Any]) -> dict[str, HasFingerprint]:
        """What the step reads, by name; raises `NotMade` as `identity` does."""
        given: dict[str, Any] = dict(step.inputs)
        return {name: self[item] for name, item in given.items()}

    def find(self, step: Step[R], thorough: bool = False) -> Artifact[R]:
        """Look for the step's artifact, which from now on is known; without a directory if it is not made."""
        self._artifacts[step] = found = self.storage.find(self.identity(step), step.result, thorough)
        return found

    def make(self, step: Step[R], cluster: Cluster, storage: Storage | None = None) -> Artifact[R]:
        """Find the step's artifact, or else make it, there or in another `storage`."""
        found = self.find(step, thorough=True)
        if found.directory is None:

            def work(directory: Path, output: Location, scratch: Location) -> R:
                return step.run(Attempt(directory, output, scratch, cluster, self))

            found = (storage or self.storage).make(self.identity(step), step.result, work, cluster.release)
            self._artifacts[step] = found
            # What follows from the step was computed for an artifact that was not made.
            self._values = {key: value for key, value in self._values.items() if step not in steps_to(key)}
        return found

"""A search's folder, `<storage>/searches/<name>/`: its configuration, Tune's state and, at the end, its result."""

import os
import stat
import tempfile
from pathlib import Path

import yaml
from pydantic import ValidationError

from slam_ray.config import InputError, RunConfig
from slam_ray.reporting.search import SearchResult, search_figures
from slam_ray.store.artifact import differences
from slam_ray.store.local import LocalLocation
from slam_ray.store.storage import Storage

RESULT, BEST, CONFIG, TRIALS = "search.json", "best.yaml", "config.yaml", "trials"


class SearchDirectory:
    """The folder of the search that `config` names.

    Raises:
        InputError: the storage is a bucket.
    """

    def __init__(self, config: RunConfig, storage: Storage) -> None:
        self._name = config.name
        self._settings = config.model_dump(mode="json", exclude={"execution", "storage"})
        if not isinstance(storage.root, LocalLocation):
            raise InputError(
                f"storage: a search goes on from pickles of Ray Tune, which a bucket like {storage.root} cannot keep to"
                " one user; give a folder"
            )
        self.path = storage.root / "searches" / config.name

    def check(self) -> None:
        """Raise InputError if a search of this name has another configuration, or is another user's."""
        self._check_owner()
        file = self.path / CONFIG
        if not file.exists():
            return
        try:
            before = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, RecursionError):
            before = None
        if not isinstance(before, dict):
            raise _altered(file)
        if different := differences(before, self._settings):
            changes = "; ".join(different[:3])
            raise InputError(
                f"search {self._name!r} in {self.path} was asked for otherwise ({changes}); give this one"
                " another name with --name: what both train is trained once"
            )

    def start(self) -> None:
        """Write the configuration, and make the folder of Tune's state, which no other user may look into."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / TRIALS).mkdir(mode=0o700, exist_ok=True)
        (self.path / CONFIG).write_text(yaml.safe_dump(self._settings, sort_keys=False))

    def result(self) -> SearchResult | None:
        """The result, if the search is finished."""
        file = self.path / RESULT
        try:
            return SearchResult.model_validate_json(file.read_bytes()) if file.exists() else None
        except ValidationError:
            raise _altered(file) from None

    def finish(self, result: SearchResult, best: RunConfig | None, layers: int) -> None:
        """Write figures, the best trial's configuration and, last, the result.

        Args:
            result: of the search.
            best: configuration of the best trial.
            layers: of the model.
        """
        for name, figure in search_figures(result, layers).items():
            figure.savefig(self.path / name, dpi=150)
        if best is not None:
            note = f"# The best trial of the search {self._name!r}: slam-ray run {self.path / BEST}\n"
            if result.pairs is not None:
                note += f"# It was found with {result.pairs} pairs of a language; this trains on all.\n"
            values = best.model_copy(update={"name": f"{self._name}-best"}).model_dump(mode="json", exclude={"search"})
            (self.path / BEST).write_text(note + yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
        draft = self.path / f"{RESULT}.draft"
        draft.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.replace(self.path / RESULT)

    def _check_owner(self) -> None:
        """Tune keeps its state as pickles, so that whoever writes them has code run by who goes on from them."""
        trials = self.path / TRIALS
        if not trials.exists():
            return
        state = trials.lstat()
        with tempfile.TemporaryFile(dir=self.path) as probe:  # a network's storage may give files other owners
            owner = os.fstat(probe.fileno()).st_uid
        if state.st_uid != owner or not stat.S_ISDIR(state.st_mode) or state.st_mode & stat.S_IWOTH:
            raise InputError(
                f"{trials} is no folder that only this user writes to, and a search goes on from pickles in it; remove"
                f" {self.path}, or give this search another name with --name"
            )


def _altered(file: Path) -> InputError:
    return InputError(f"{file} is not as the search wrote it; remove {file.parent}: its trainings are found again")

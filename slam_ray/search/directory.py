"""A search's folder, `<storage>/searches/<name>/`: what was asked for, Tune's state, and at the end what was found."""

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from slam_ray.config import InputError, RunConfig
from slam_ray.pipeline.location import Folder
from slam_ray.pipeline.step import differences
from slam_ray.pipeline.storage import Storage
from slam_ray.reporting.figures import layer_range_figure, pareto_figure
from slam_ray.search.result import SearchResult, TrialRow

RESULT, BEST, CONFIG, TRIALS = "search.json", "best.yaml", "config.yaml", "trials"
PARETO, RANGES = "pareto.png", "layer_ranges.png"


class SearchDirectory:
    """The folder of the search that `config` names.

    Raises:
        InputError: the storage is a bucket.
    """

    def __init__(self, config: RunConfig, storage: Storage) -> None:
        self._config = config
        if not isinstance(storage.root, Folder):
            raise InputError(
                f"storage: a search goes on from pickles of Ray Tune, which a bucket like {storage.root} cannot keep to"
                " one user; give a folder"
            )
        self.path = storage.root / "searches" / config.name

    def check(self) -> None:
        """Raise InputError if a search of this name was asked for something else, or is another user's."""
        self._check_own()
        file = self.path / CONFIG
        if not file.exists():
            return
        try:
            before = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, RecursionError):
            before = None
        if not isinstance(before, dict):
            raise _altered(file)
        if different := differences(before, self._asked()):
            changes = "; ".join(different[:3])
            raise InputError(
                f"search {self._config.name!r} in {self.path} was asked for otherwise ({changes}); give this one"
                " another name with --name: what both train is trained once"
            )

    def start(self) -> None:
        """Write what is asked for, and make the folder of Tune's state, which no other user may look into."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / TRIALS).mkdir(mode=0o700, exist_ok=True)
        (self.path / CONFIG).write_text(yaml.safe_dump(self._asked(), sort_keys=False))

    def found(self) -> SearchResult | None:
        """The result, if the search is finished."""
        file = self.path / RESULT
        try:
            return SearchResult.model_validate_json(file.read_bytes()) if file.exists() else None
        except ValidationError:
            raise _altered(file) from None

    def finish(self, result: SearchResult, best: RunConfig | None, layers: int) -> None:
        """Write figures, the best trial's configuration and, last, the result.

        Args:
            result: what was found.
            best: configuration of the best trial.
            layers: of the model.
        """
        self._draw(result, layers)
        if best is not None:
            note = f"# The best trial of the search {self._config.name!r}: python jobs/run_slam.py {self.path / BEST}\n"
            if result.pairs is not None:
                note += f"# It was found with {result.pairs} pairs of a language; this trains on all.\n"
            values = best.model_copy(update={"name": f"{self._config.name}-best"}).model_dump(
                mode="json", exclude={"search"}
            )
            (self.path / BEST).write_text(note + yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
        draft = self.path / f"{RESULT}.draft"
        draft.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.replace(self.path / RESULT)

    def _check_own(self) -> None:
        """Tune keeps its state as pickles, so that whoever writes them has code run by who goes on from them."""
        trials = self.path / TRIALS
        if not trials.exists():
            return
        seen = trials.lstat()
        with tempfile.TemporaryFile(dir=self.path) as own:  # a network's storage may give files other owners
            owner = os.fstat(own.fileno()).st_uid
        if seen.st_uid != owner or not stat.S_ISDIR(seen.st_mode) or seen.st_mode & stat.S_IWOTH:
            raise InputError(
                f"{trials} is no folder that only this user writes to, and a search goes on from pickles in it; remove"
                f" {self.path}, or give this search another name with --name"
            )

    def _asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(self._config.model_dump_json(exclude={"execution", "storage"}))
        return asked

    def _draw(self, result: SearchResult, layers: int) -> None:
        rows = [row for row in result.trials if row.state == "finished"]
        if not rows:
            return
        own = next((place for place, row in enumerate(rows) if row.number == 0), None)
        best = next((place for place, row in enumerate(rows) if result.best and row.number == result.best.number), None)
        accuracy = np.array([row.non_english for row in rows], dtype=float)
        share = np.array([row.trained_share for row in rows], dtype=float)
        front = [row.front for row in rows]
        figure = pareto_figure(share, accuracy, front, own, best, result.base_non_english)
        figure.savefig(self.path / PARETO, dpi=150)
        from_first = [place for place, row in enumerate(rows) if _from_first(row)]
        if from_first:
            ends = [rows[place].layers[-1] for place in from_first]
            mine = None if own is None else float(accuracy[own])
            figure = layer_range_figure(ends, accuracy[from_first], layers, mine, result.base_non_english)
            figure.savefig(self.path / RANGES, dpi=150)


def _altered(file: Path) -> InputError:
    return InputError(f"{file} is not as the search wrote it; remove {file.parent}: its trainings are found again")


def _from_first(row: TrialRow) -> bool:
    return row.layers == tuple(range(len(row.layers)))

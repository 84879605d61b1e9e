"""What a trial may change: keys of selection and training, each with its domain, and the configuration's own values.

Inside Tune every value is a number or a text, so that any sampler and any log takes it; `Space` gives the values back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from pydantic import ValidationError

from slam_ray.config import Domain, InputError, RunConfig, known_keys, nearest

# A trial reads the one activation count, so it can change nothing that decides the count.
SECTIONS = ("selection.", "training.")
LAYERS = "selection.layers"
# Ways to type the layers, of which a configuration takes one.
TYPED = {LAYERS, "selection.first", "selection.random_seed", "selection.all_layers"}
Label = str | int | float
Point = Mapping[str, Label]


@dataclass(frozen=True)
class Space:
    """A search space that the configuration accepts.

    Attributes:
        domains: key -> domain.
        trial_0: key -> label of the configuration's value.
        values: key -> label -> value, for listed options and the configuration's value.
    """

    domains: Mapping[str, Domain]
    trial_0: Point
    values: Mapping[str, Mapping[Label, Any]]

    @property
    def grid_points(self) -> int:
        """How many points the grid has; 1 without a grid."""
        return prod(len(domain.grid) for domain in self.domains.values() if domain.grid)

    def apply(self, config: RunConfig, point: Point) -> RunConfig:
        """`config` with the values of a point."""
        for key, drawn in point.items():
            config = _with(config, key, self.values[key].get(drawn, drawn))
        return config


def read_space(config: RunConfig) -> Space:
    """The space of `search.space`.

    Raises:
        InputError: it is empty, a key is unknown or decides the count, or a key does not take one of its values; the
            sampler cannot draw from it; the number of trials does not fit its grid.
    """
    search = config.search
    if not search.space:
        raise InputError(
            "search.space is empty: say what to try, e.g. selection.theta_factor: {uniform: [0.5, 1.5]} or"
            " selection.layers: {grid: [0-1, 0-3, 0-5]}"
        )
    if len(typed := sorted(TYPED & search.space.keys())) > 1:
        raise InputError(f"search.space: {' and '.join(typed)} type the layers in two ways; search one of them")
    known = [key for key, _ in known_keys() if key.startswith(SECTIONS)]
    values: dict[str, dict[Label, Any]] = {}
    trial_0: dict[str, Label] = {}
    for key, domain in search.space.items():
        if key not in known:
            raise InputError(f"search.space: {key!r} cannot be searched: {nearest(key, known)}")
        section, _, name = key.partition(".")
        configured = getattr(getattr(config, section), name)
        trial_0[key] = label(configured)
        options = {label(option): _expanded(key, option) for option in domain.options or ()}
        if len(options) < len(domain.options or ()):
            raise InputError(f"search.space.{key}: an option is there twice")
        for value in [*options.values(), *_samples(domain)]:
            _with(config, key, value)
        values[key] = {trial_0[key]: configured, **options}
    space = Space(search.space, trial_0, values)
    _check_number(space, config)
    return space


def label(value: Any) -> Label:
    """A value as Tune sees it: a number or text itself, a list as its words, nothing as "null"."""
    if isinstance(value, str | int | float):
        return value
    return "null" if value is None else " ".join(map(str, value))


def _check_number(space: Space, config: RunConfig) -> None:
    trials, grid = config.search.trials, space.grid_points
    if config.search.sampler == "optuna":
        if grids := [key for key, domain in space.domains.items() if domain.grid]:
            raise InputError(f"search.space.{grids[0]}: Optuna draws no grid; give choice, or --search.sampler tune")
    elif (trials - 1) % grid:
        raise InputError(
            f"search.trials is {trials}: the grid has {grid} points, so give {grid + 1}, {2 * grid + 1}, ...:"
            " trial 0 and each point equally often"
        )


def _expanded(key: str, option: Any) -> Any:
    """Layers from a first to a last one, written "0-3"."""
    ends = re.fullmatch(r"(\d+)-(\d+)", option) if key == LAYERS and isinstance(option, str) else None
    return list(range(int(ends[1]), int(ends[2]) + 1)) if ends else option


def _samples(domain: Domain) -> list[float]:
    """The ends of a range and a value between them, all of which a key must take."""
    low, high = domain.uniform or domain.loguniform or (0.0, 0.0)
    return [low, low + 0.37 * (high - low), high] if high > low else []


def _with(config: RunConfig, key: str, value: Any) -> RunConfig:
    section, _, name = key.partition(".")
    before = getattr(config, section)
    try:
        after = type(before).model_validate({**before.model_dump(), name: value})
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(f"search.space.{key}: {problem['msg']}, got {value!r}") from None
    return config.model_copy(update={section: after})

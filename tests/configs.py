"""A run's configuration of which a test says only what matters to it."""

from typing import Any

from slam_ray.config import RunConfig

DEFAULTS: dict[str, Any] = {
    "name": "a-test",
    "storage": "/nowhere",
    "model": {"path": "/nowhere/model", "dtype": "float32"},
    "corpora": {"benchmarks": {"own": "/nowhere/problems.jsonl"}},
}


def run_config(**sections: Any) -> RunConfig:
    """The defaults with these values; one of a section's keys replaces that key alone."""
    values = {
        key: {**DEFAULTS.get(key, {}), **value} if isinstance(value, dict) else value for key, value in sections.items()
    }
    return RunConfig.model_validate({**DEFAULTS, **values})

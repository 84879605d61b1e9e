"""What is a run? Pydantic sections, their reading from preset, file and command line, and errors a user can mend."""

from slam_ray.config.command_line import Command, parse_command
from slam_ray.config.errors import InputError, job, nearest
from slam_ray.config.load import known_keys, load_config, presets
from slam_ray.config.schema import (
    ENGLISH,
    ActivationsConfig,
    CorporaConfig,
    EvaluationConfig,
    ExecutionConfig,
    ModelConfig,
    PromptsConfig,
    RunConfig,
    Section,
    SelectionConfig,
    TrainingConfig,
)

__all__ = [
    "ENGLISH",
    "ActivationsConfig",
    "Command",
    "CorporaConfig",
    "EvaluationConfig",
    "ExecutionConfig",
    "InputError",
    "ModelConfig",
    "PromptsConfig",
    "RunConfig",
    "Section",
    "SelectionConfig",
    "TrainingConfig",
    "job",
    "known_keys",
    "load_config",
    "nearest",
    "parse_command",
    "presets",
]

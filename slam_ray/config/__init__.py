"""What is a run? Pydantic sections, their reading from preset, file and command line, and errors a user can mend."""

from slam_ray.config.command_line import Command, parse_command
from slam_ray.config.errors import ALL_DONE, TO_DO, InputError, job, nearest
from slam_ray.config.load import default_storage, known_keys, load_config, presets, resolved
from slam_ray.config.schema import (
    ENGLISH,
    ActivationsConfig,
    CleaningConfig,
    CorporaConfig,
    CountedConfig,
    EvaluationConfig,
    ExecutionConfig,
    ModelConfig,
    PromptsConfig,
    RunConfig,
    Section,
    SelectionConfig,
    SourceConfig,
    Sources,
    TrainingConfig,
)

__all__ = [
    "ALL_DONE",
    "ENGLISH",
    "TO_DO",
    "ActivationsConfig",
    "CleaningConfig",
    "Command",
    "CorporaConfig",
    "CountedConfig",
    "EvaluationConfig",
    "ExecutionConfig",
    "InputError",
    "ModelConfig",
    "PromptsConfig",
    "RunConfig",
    "Section",
    "SelectionConfig",
    "SourceConfig",
    "Sources",
    "TrainingConfig",
    "default_storage",
    "job",
    "known_keys",
    "load_config",
    "nearest",
    "parse_command",
    "presets",
    "resolved",
]

"""What is a run? Pydantic sections, their reading from preset, file and command line, and errors a user can mend."""

from slam_ray.config.errors import InputError
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
]

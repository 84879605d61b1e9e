"""What is a run? Pydantic sections, their reading from preset, file and options, and errors that a user can mend."""

from slam_ray.config.errors import ALL_DONE, TO_DO, InputError, nearest
from slam_ray.config.load import S3, default_storage, known_keys, load_config, path_of, presets, resolved, storage_of
from slam_ray.config.schema import (
    ENGLISH,
    ActivationsConfig,
    CleaningConfig,
    CorporaConfig,
    CountedConfig,
    Domain,
    EvaluationConfig,
    ExecutionConfig,
    LanguageConfig,
    ModelConfig,
    PromptsConfig,
    RunConfig,
    SearchConfig,
    Section,
    SelectionConfig,
    SourceConfig,
    Sources,
    TrainingConfig,
)

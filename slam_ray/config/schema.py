"""What a run is: every section of the configuration, with the paper's settings as defaults.

Imports neither torch nor Ray, so a job can say what is wrong with its input at once. A section holds either what
decides a result (it enters fingerprints) or, in `ExecutionConfig`, where and how fast it is computed (it does not).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

ENGLISH = "en"
Dtype = Literal["float64", "float32", "bfloat16"]
Overlap = Literal["jaccard", "coverage", "english"]
Projection = Literal["up", "down", "gate"]


class Section(BaseModel):
    """Base of every section: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelConfig(Section):
    """The model to improve; it should reason well in English already."""

    path: str = Field(description="A local folder in the Hugging Face layout with safetensors weights.")
    dtype: Dtype = Field("bfloat16", description="Precision of counting, training and generation.")


class CorporaConfig(Section):
    """The texts: JSON Lines files, one object a line."""

    questions: str = Field(description="Parallel questions to count on: id, language, question.")
    pairs: str = Field(description="X -> English translations to train on: id, language, kind, source, english.")
    benchmarks: dict[str, str] = Field(description="Name -> file of test problems: id, language, question, answer.")
    languages: tuple[str, ...] | None = Field(None, description="ISO codes; by default those of `questions`.")


class PromptsConfig(Section):
    """The paper's prompts: Table 8 (reasoning) and Table 7 (translation, without its English side)."""

    reasoning: str = (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        "\n\n### Instruction:\n{query}\n\n### Response: Let's think step by step."
    )
    translation: str = "Translate this from [{language}] to [English]:\n[{language}]: {source}\n[English]:"


class ActivationsConfig(Section):
    """How activated neurons are counted (Eq. 3-4)."""

    questions: int = Field(
        500,
        ge=1,
        description="Parallel training questions, each counted in every language.",
    )
    groups: int = Field(
        20,
        ge=1,
        description="Counts are kept per group of questions, for the jackknife.",
    )
    token_budget: int = Field(4096, ge=16, description="Tokens in one forward pass, padding included.")


class SelectionConfig(Section):
    """Which layers handle the input language (Eq. 5-7)."""

    neuron_share: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="A neuron belongs to a language's set if it is active at more than this share.",
    )
    overlap: Overlap = Field(
        "jaccard",
        description="Common neurons over those of either language (jaccard), of the other (coverage), of English.",
    )
    theta_factor: float = Field(1.0, ge=0, description="The threshold is the mean MSD times this.")
    max_layer_share: float | None = Field(
        None, gt=0, le=1, description="At most this share of the layers counts as language-specific."
    )
    layers: tuple[NonNegativeInt, ...] | None = Field(
        None, min_length=1, description="Type the layers (0-based); by default the rule selects them."
    )


class TrainingConfig(Section):
    """Selective fine-tuning (Eq. 8); the defaults are the paper's appendix A.1."""

    projections: tuple[Projection, ...] = Field(("up", "down"), description="What of a selected layer's FFN is tuned.")
    learning_rate: float = Field(2e-5, gt=0)
    epochs: int = Field(4, ge=1)
    batch_size: int = Field(512, ge=1, description="Pairs in one optimizer step, over all workers.")
    max_length: int = Field(1024, ge=8, description="Tokens; a longer pair is dropped and counted.")
    pack_length: int = Field(
        2048,
        ge=8,
        description="Tokens of one packed row: one forward pass of one worker.",
    )
    seed: int = 0


class EvaluationConfig(Section):
    """Greedy generation and scoring (section 4.4, appendix A.3)."""

    max_new_tokens: int = Field(512, ge=1)


class ExecutionConfig(Section):
    """Where and how fast; nothing here changes a result's identity."""

    counting_actors: int = Field(2, ge=1, description="Model replicas that count, each on one GPU or one CPU.")
    training_workers: int = Field(2, ge=1, description="DeepSpeed ZeRO-2 workers, each on one GPU or one CPU.")
    engines: int = Field(2, ge=1, description="vLLM engines, each on one GPU or one CPU.")
    checkpoint_steps: int = Field(100, ge=1, description="Optimizer steps between training checkpoints.")
    model_cache: str = Field(
        "~/.cache/slam_ray/models",
        description="Folder on each node for assembled models.",
    )


class RunConfig(Section):
    """One run of SLAM on one model."""

    name: str = Field(
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$",
        description="The run's folder under <storage>/runs.",
    )
    storage: str = Field(description="Folder that keeps artifacts and runs.")
    limit: int | None = Field(
        None,
        ge=1,
        description="Smoke run on the first N questions, pairs and problems each.",
    )
    model: ModelConfig
    corpora: CorporaConfig
    prompts: PromptsConfig = PromptsConfig()
    activations: ActivationsConfig = ActivationsConfig()
    selection: SelectionConfig = SelectionConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    execution: ExecutionConfig = ExecutionConfig()

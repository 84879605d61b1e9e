"""What a run is: every section of the configuration, with the paper's settings as defaults.

Imports neither torch nor Ray, so a job can say what is wrong with its input at once. A section holds either what
decides a result (it enters fingerprints) or, in `ExecutionConfig`, where and how fast it is computed (it does not).
"""

import re
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, NonNegativeInt, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

ENGLISH = "en"
Dtype = Literal["float64", "float32", "bfloat16"]
Overlap = Literal["jaccard", "coverage", "english"]
CountedText = Literal["question-in-prompt", "question", "prompt", "answer"]
CountedTokens = Literal["mean", "last"]
ProblemPart = Literal["choose", "report"]
Projection = Literal["up", "down", "gate", "q", "k", "v", "o", "layer"]


# What becomes the name of a folder or a part of one.
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", max_length=100)]


class Section(BaseModel):
    """Base of every section: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelConfig(Section):
    """The model to improve; it should reason well in English already."""

    path: str | None = Field(None, description="A folder in the Hugging Face layout with safetensors weights.")
    hub: str | None = Field(None, description="Name of a model on the Hugging Face Hub; instead of `path`.")
    revision: str = Field("main", description="Commit, branch or tag on the Hub.")
    trust_remote_code: bool = Field(False, description="Run the Python code that the checkpoint brings along.")
    dtype: Dtype = Field("bfloat16", description="Precision of counting, training and generation.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give one of path and hub")
        return self

    @property
    def name(self) -> str:
        """What to call it: its name on the Hub, or its folder's."""
        return self.hub or PurePath(self.path or "").name


class SourceConfig(Section):
    """Where texts come from and how they are laid out: a file or folder of one's own, or a dataset of the Hub."""

    path: str | None = Field(None, description="A file or a folder; instead of `hub`.")
    hub: str | None = Field(None, description="Name of a dataset on the Hugging Face Hub; instead of `path`.")
    format: str = Field("records", description="`records`, or a published layout (slam_ray/corpora/formats).")
    subset: str | None = Field(None, description="The Hub's name of a part of the dataset, for `records`.")
    split: str | None = Field(
        None,
        pattern=r"^[^./\\\x00][^/\\\x00]*$",
        max_length=100,
        description="By default the one that the format is usually read for.",
    )
    revision: str | None = Field(None, description="Commit, branch or tag on the Hub.")
    part: ProblemPart | None = Field(
        None,
        description="Of a benchmark: the 200 problems to choose settings on (choose), or the others, to report"
        " (report); the same ones in every language.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="For `records`: our key -> their column; `a.b` reaches into a column, `#` is the row's number.",
    )
    values: dict[str, str] = Field(
        default_factory=dict, description="For `records`: our key -> the same value for all, e.g. language: sw."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give one of path and hub")
        if self.path is not None and (self.subset is not None or self.revision is not None):
            raise ValueError("subset and revision belong to hub")
        if self.format != "records" and (self.columns or self.values or self.subset is not None):
            raise ValueError(f"columns, values and subset belong to format records, not {self.format}")
        if both := self.columns.keys() & self.values.keys():
            raise ValueError(f"{min(both)} is in columns and in values")
        return self


def _form(value: Any) -> str:
    """The tag of the form of a source; the brackets keep it out of messages (see load.py)."""
    if isinstance(value, str):
        return "(path)"
    return "(list)" if isinstance(value, list | tuple) else "(section)"


_File = Annotated[str, Tag("(path)")]
_Section = Annotated[SourceConfig, Tag("(section)")]
Source = Annotated[_File | _Section, Discriminator(_form)]
_List = Annotated[tuple[Source, ...], Field(min_length=1), Tag("(list)")]
Sources = Annotated[_File | _Section | _List, Discriminator(_form)]


class LanguageConfig(Section):
    """A language that the project does not know."""

    code: str = Field(pattern=r"^[a-z]{2,3}$", description="ISO 639 code, of two or three letters.")
    name: str = Field(
        pattern=r"^\w[^\n\[\]{}]*$", max_length=60, description="In English, as the translation prompt says it."
    )
    script: str | None = Field(
        None, description="ISO 15924 code; without it, cleaning does not ask in which script a text is."
    )
    spaced: bool = Field(True, description="Whether spaces stand between its words.")


def _language_form(value: Any) -> str:
    return "(language)" if isinstance(value, dict | LanguageConfig) else "(code)"


_Code = Annotated[str, Tag("(code)")]
_Language = Annotated[LanguageConfig, Tag("(language)")]
Language = Annotated[_Code | _Language, Discriminator(_language_form)]


class CleaningConfig(Section):
    """Which translation pairs are left out (section 4.1); the paper does not say how, so the rules are ours."""

    untranslated: bool = Field(True, description="Leave out a pair whose source is its English.")
    wrong_script: bool = Field(True, description="Leave out a source that is not in its language's script.")
    least_script_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="At least this share of a source's letters is in the script; foreign names are not.",
    )
    length_ratio: bool = Field(True, description="Leave out a pair of unlikely lengths.")
    most_length_factor: float = Field(
        3.0, gt=1, description="How many times longer or shorter than the language's median source / English."
    )
    loops: bool = Field(True, description="Leave out a pair with a side that says the same again and again.")
    loop_words: int = Field(4, ge=1, description="Words in a row that count as the same.")
    most_repeats: int = Field(10, ge=1, description="More occurrences than this are a loop.")
    lost_numbers: bool = Field(True, description="Leave out a pair with numbers on one side that the other lacks.")
    most_lost_numbers: int = Field(0, ge=0, description="So many may be lacking.")


class CorporaConfig(Section):
    """The texts. A source is a JSON Lines file, a section (`SourceConfig`), or a list of them."""

    questions: Sources | None = Field(None, description="Parallel questions to count on: id, language, question.")
    pairs: Sources | None = Field(
        None, description="X -> English translations to train on: id, language, kind, source, english."
    )
    benchmarks: dict[Name, Sources] = Field(
        min_length=1, description="Name -> test problems: id, language, question, answer."
    )
    english: Sources | None = Field(
        None,
        description="English text that is not trained on, as questions: the loss on it before and after is reported.",
    )
    languages: tuple[Language, ...] | None = Field(
        None,
        min_length=1,
        description="ISO codes, or {code: yo, name: Yoruba} for a language that is not known; by default those of"
        " `questions`.",
    )
    cleaning: CleaningConfig = CleaningConfig()
    balance: bool = Field(
        False, description="Cut every language down to the number of pairs of the smallest; the paper does not."
    )
    held_out: float = Field(
        0.0, ge=0, lt=1, description="Share of problems kept out of counting and training, to choose settings on."
    )
    seed: int = Field(0, description="Of what is held out and of what balancing keeps.")
    allow_test_questions: bool = Field(
        False, description="Count and train also on questions that are problems of a benchmark."
    )

    @field_validator("languages", mode="before")
    @classmethod
    def _norwegian(cls, languages: Any) -> Any:
        if isinstance(languages, list | tuple) and any(
            (each.get("code") if isinstance(each, dict) else each) is False for each in languages
        ):
            raise ValueError('YAML reads no as false; write "no" for Norwegian')
        return languages

    @model_validator(mode="after")
    def _each_language_once(self) -> Self:
        codes = self.codes or ()
        if twice := [code for place, code in enumerate(codes) if code in codes[:place]]:
            raise ValueError(f"languages: {twice[0]} is there twice")
        return self

    @property
    def codes(self) -> tuple[str, ...] | None:
        """Those of `languages`."""
        if self.languages is None:
            return None
        return tuple(each if isinstance(each, str) else each.code for each in self.languages)


_INSTRUCTION = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request."
    "\n\n### Instruction:\n{query}\n\n### Response:"
)


class PromptsConfig(Section):
    """The paper's prompts: Tables 8 and 9 (what a model is asked) and 7 (translation, without its English side).

    The authors' code wraps the last in "Human: ...\\nAssistant:", which is another value of `translation`.
    """

    reasoning: str = Field(
        f"{_INSTRUCTION} Let's think step by step.", pattern=r"\{query\}", description="Asks for a number."
    )
    choice: str = Field(
        _INSTRUCTION, pattern=r"\{query\}", description="Asks for the label of a choice (format xcsqa)."
    )
    chat: bool = Field(False, description="Ask in the model's chat template: the prompt is the user's message.")
    thinking: bool = Field(False, description="Have a model that can think do so before it answers.")
    translation: str = Field(
        "Translate this from [{language}] to [English]:\n[{language}]: {source}\n[English]:", pattern=r"\{source\}"
    )

    @model_validator(mode="after")
    def _thinking_is_of_a_chat(self) -> Self:
        if self.thinking and not self.chat:
            raise ValueError("thinking belongs to chat: set prompts.chat too")
        return self


class CountedConfig(Section):
    """How activated neurons are counted (Eq. 3-4)."""

    questions: int = Field(500, ge=1, description="Parallel training questions, each counted in every language.")
    groups: int = Field(20, ge=1, description="Counts are kept per group of questions, for the jackknife.")
    token_budget: int = Field(4096, ge=16, description="Tokens in one forward pass.")
    text: CountedText = Field(
        "question-in-prompt",
        description="What is counted: the question inside the reasoning prompt, the question without it (question),"
        " all of the prompt (prompt), or the prompt and the model's own answer to it (answer).",
    )
    tokens: CountedTokens = Field("mean", description="Of that, the mean over its tokens, or its last token alone.")


class ActivationsConfig(CountedConfig):
    """What is counted, and what else is looked at inside the model."""

    tuned: bool = Field(False, description="Count the tuned model too: overlap with English before and after tuning.")
    states: bool = Field(
        False, description="Map the hidden states of the prompts' last tokens at four depths by t-SNE (Figure 10)."
    )


class SelectionConfig(Section):
    """Which layers handle the input language (Eq. 5-7)."""

    neuron_share: float = Field(
        0.5, ge=0, lt=1, description="A neuron belongs to a language's set if it is active at more than this share."
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
    first: int | None = Field(None, ge=1, description="Instead: so many layers from the first on.")
    random_seed: int | None = Field(
        None, ge=0, description="Instead: as many layers as the rule selects, drawn at random with this seed."
    )
    all_layers: bool = Field(False, description="Instead: all layers.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [self.layers is not None, self.first is not None, self.random_seed is not None, self.all_layers]
        if sum(given) > 1:
            raise ValueError("give at most one of layers, first, random_seed and all_layers")
        return self


class TrainingConfig(Section):
    """Selective fine-tuning (Eq. 8); the defaults are the paper's appendix A.1."""

    projections: tuple[Projection, ...] = Field(
        ("up", "down"),
        min_length=1,
        description="Weights of a selected layer that are tuned: up, down, gate of its FFN; q, k, v, o of its"
        " attention; or layer, which is all of it, norms and biases included.",
    )
    learning_rate: float = Field(2e-5, gt=0)
    epochs: int = Field(4, ge=1)
    batch_size: int = Field(512, ge=1, description="Pairs in one optimizer step, over all workers.")
    max_length: int = Field(1024, ge=8, description="Tokens; a longer pair is dropped and counted.")
    pack_length: int = Field(2048, ge=8, description="Tokens of one packed row: one forward pass of one worker.")
    seed: int = Field(0, ge=0, description="Of the order of the pairs.")


class EvaluationConfig(Section):
    """Greedy generation and scoring (section 4.4, appendix A.3)."""

    max_new_tokens: int = Field(512, ge=1)
    label: Literal["last", "first"] = Field(
        "last", description="Which label is the answer to a choice where there are several; the other is beside it."
    )


class Domain(Section):
    """The values that a searched key may take; exactly one of these.

    An option or an end that the searched key itself would refuse is an error when the space is read.
    """

    grid: tuple[Any, ...] | None = Field(None, min_length=1)
    choice: tuple[Any, ...] | None = Field(None, min_length=1)
    uniform: tuple[float, float] | None = None
    loguniform: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("give one of grid, choice, uniform, loguniform")
        for low, high in filter(None, (self.uniform, self.loguniform)):
            if low >= high or (self.loguniform and low <= 0):
                raise ValueError(f"from {low:g} to {high:g} is no range{' above 0' if self.loguniform else ''}")
        return self

    @property
    def options(self) -> tuple[Any, ...] | None:
        """The listed values; None for a range."""
        return self.grid or self.choice


class SearchConfig(Section):
    """The layer search: which selection is best for a model (Figure 4 asks it of the paper's own)."""

    space: dict[str, Domain] = Field(
        default_factory=dict,
        description="Key of selection or training -> {grid: [...]}, choice, {uniform: [low, high]} or loguniform.",
    )
    trials: int = Field(8, ge=1, description="Trial 0, the configuration's own selection, and so many less one drawn.")
    sampler: Literal["tune", "optuna"] = Field("tune", description="Who draws: Tune (grid, random) or Optuna (TPE).")
    seed: int = Field(0, ge=0, description="Of the drawing.")
    problems: Sources | None = Field(
        None, description="Problems to choose on; by default those that corpora.held_out keeps out of the questions."
    )
    pairs: int | None = Field(None, ge=1, description="Trials train on the first so many pairs of a language.")
    english_loss: float = Field(1.0, ge=0, description="Points of English accuracy that the best trial may lose.")
    rungs: int = Field(3, ge=1, description="How often a trial is judged, the end of its training included.")
    reduction_factor: int = Field(
        3, ge=2, description="ASHA: one in so many goes on from a rung to the next, of so many times the training."
    )
    rung_problems: int = Field(50, ge=1, description="Problems of each language that a rung before the end asks.")
    mlflow: str | None = Field(
        None, description="Tracking URI of an MLflow store that the trials are logged to as well."
    )

    @field_validator("mlflow")
    @classmethod
    def _without_password(cls, uri: str | None) -> str | None:
        if uri is not None and re.search(r"://[^/]*@", uri):
            # The configuration is written into the run's folder, and the message into its log.
            raise PydanticCustomError(
                "secret", "give MLFLOW_TRACKING_USERNAME and _PASSWORD instead of a user in the URI"
            )
        return uri


class ExecutionConfig(Section):
    """Where and how fast; nothing here changes a result's identity."""

    counting_actors: int = Field(2, ge=1, description="Model replicas that count, each on one GPU or one CPU.")
    training_workers: int = Field(2, ge=1, description="DeepSpeed ZeRO-2 workers, each on one GPU or one CPU.")
    engines: int = Field(2, ge=1, description="vLLM engines, each on one GPU or one CPU.")
    device: Literal["auto", "gpu"] = Field(
        "auto", description="What each of them takes: a GPU, or (auto) one if the cluster has any when the run starts."
    )
    node_wait_s: float = Field(
        0, ge=0, description="Seconds to wait for nodes that the cluster adds as they are needed; 0: it adds none."
    )
    checkpoint_steps: int = Field(100, ge=1, description="Optimizer steps between training checkpoints.")
    max_context: int | None = Field(
        None,
        ge=1,
        description="Most tokens of a prompt and its answer together, for which an engine keeps memory; by default what"
        " the model takes. A problem that may need more is refused, never cut.",
    )


class RunConfig(Section):
    """One run of SLAM on one model."""

    name: Name = Field(description="The run's folder under <storage>/runs.")
    storage: str = Field(description="Folder, or s3://BUCKET/PREFIX, that keeps artifacts and runs.")
    limit: int | None = Field(None, ge=1, description="Smoke run on the first N questions, pairs and problems each.")
    model: ModelConfig
    corpora: CorporaConfig
    prompts: PromptsConfig = PromptsConfig()
    activations: ActivationsConfig = ActivationsConfig()
    selection: SelectionConfig = SelectionConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    search: SearchConfig = SearchConfig()
    execution: ExecutionConfig = ExecutionConfig()

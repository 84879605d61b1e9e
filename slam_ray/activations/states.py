"""Hidden states of the prompts' last tokens at four depths, laid out in the plane by t-SNE (Figure 10)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from slam_ray.activations.plan import chosen_ids, counted_prompts, encode, plan_units
from slam_ray.config import CountedConfig, ExecutionConfig, InputError, PromptsConfig, Section
from slam_ray.corpora import Prepared, Question, read_questions
from slam_ray.models.reference import ModelRef, check_chat
from slam_ray.pipeline.location import Location
from slam_ray.pipeline.progress import Progress
from slam_ray.pipeline.step import Artifact, Attempt, Step

STATES_FILE = "states.npz"
# Of 32 layers, counted from 1 (Figure 10); of another number the ones at the same depths.
DEPTHS, OF = (1, 12, 22, 32), 32
QUESTIONS = 100  # of each language: more points hide one another
PERPLEXITY = 30.0  # of t-SNE, its usual value; less where there are few points

Floats = npt.NDArray[np.float32]


class StatesConfig(Section):
    """What decides states and map besides model and questions."""

    activations: CountedConfig
    prompt: str
    chat: bool
    thinking: bool
    dtype: str


class StatesResult(BaseModel):
    """What was mapped.

    Attributes:
        languages: N codes.
        layers: the layers whose output it is, counted from 1; after the last one the final norm is applied.
        questions: of each language.
    """

    languages: tuple[str, ...]
    layers: tuple[int, ...]
    questions: int


def states_step(
    activations: CountedConfig,
    prompts: PromptsConfig,
    dtype: str,
    questions: Artifact[Prepared],
    model: ModelRef,
    execution: ExecutionConfig,
) -> Step[StatesResult]:
    """Map the state of the last counted token of parallel questions, by one replica in one process.

    A model's own answer is left out. The artifact's file is `states.npz`: `states` [depths, N, questions, hidden] and
    `map` [depths, N, questions, 2], float32.

    Raises:
        InputError: (here) the model has no chat template that it is to be asked in.
    """
    counted = {"text": "prompt" if activations.text == "answer" else activations.text, "tokens": "last"}
    number = min(activations.questions, QUESTIONS)
    wanted = CountedConfig(questions=number, groups=1, token_budget=activations.token_budget, **counted)
    prompts = counted_prompts(wanted, prompts)
    check_chat(prompts, model)
    config = StatesConfig(
        activations=wanted, prompt=prompts.reasoning, chat=prompts.chat, thinking=prompts.thinking, dtype=dtype
    )

    def run(attempt: Attempt) -> StatesResult:
        asked = read_questions(questions)
        ids = chosen_ids((question.id for question in asked), number)
        languages = questions.result.languages
        chosen = [question for question in asked if question.id in set(ids)]
        cache = Path(execution.model_cache)
        layers: tuple[int, ...] = attempt.context.once(
            "counting", map_states, chosen, ids, languages, wanted, prompts, model, dtype, cache, attempt.output
        )
        return StatesResult(languages=languages, layers=layers, questions=len(ids))

    return Step("states", 2, config, {"questions": questions, "model": model}, StatesResult, run, workers="counting")


def read_map(artifact: Artifact[StatesResult]) -> Floats:
    """[depths, N, questions, 2]: the points of a states artifact."""
    with np.load(artifact.file(STATES_FILE), allow_pickle=False) as arrays:
        points: Floats = arrays["map"]
        return points


def map_states(
    questions: Sequence[Question],
    ids: Sequence[str],
    languages: Sequence[str],
    activations: CountedConfig,
    prompts: PromptsConfig,
    model: ModelRef,
    dtype: str,
    cache: Path,
    output: Location,
    device: str,
) -> tuple[int, ...] | InputError:
    """Put `states` and `map` at `output`; returns the layers, or what is wrong: Ray would wrap an exception."""
    import torch

    from slam_ray.models.loading import load_model, load_tokenizer
    from slam_ray.models.placing import place

    try:
        encoded = encode(questions, activations, prompts, load_tokenizer(model.base, model.trusted))
        units = plan_units(encoded, ids, 1, activations.token_budget)
    except InputError as error:
        return error
    decoder: Any = load_model(place(model, cache), dtype, model.trusted, device).base_model
    layers = depths(decoder.config.num_hidden_layers)
    states = np.zeros((len(layers), len(languages), len(ids), decoder.config.hidden_size), dtype=np.float32)
    progress = Progress("states", len(encoded), "questions")
    for batch in (batch for unit in units for batch in unit.passes):
        width = max(len(question.tokens) for question in batch)
        tokens, present = torch.zeros((2, len(batch), width), dtype=torch.int64)
        for row, question in enumerate(batch):
            tokens[row, : len(question.tokens)] = torch.tensor(question.tokens)
            present[row, : len(question.tokens)] = 1
        with torch.inference_mode():
            hidden = decoder(
                input_ids=tokens.to(device), attention_mask=present.to(device), use_cache=False,
                output_hidden_states=True,
            ).hidden_states  # fmt: skip
        for row, question in enumerate(batch):
            cell = languages.index(question.language), ids.index(question.id)
            for place_, layer in enumerate(layers):
                states[place_, *cell] = hidden[layer][row, question.end - 1].float().cpu().numpy()
        progress.advance(len(batch))
    if not np.isfinite(states).all():
        return InputError(f"the model's states are not finite in {dtype}; set another model.dtype")
    with output.working() as folder:
        np.savez(folder / STATES_FILE, states=states, map=np.stack([mapped(each) for each in states]))
    return layers


def depths(layers: int) -> tuple[int, ...]:
    """The layers, counted from 1, of a model with so many that lie as deep as the paper's four of 32."""
    return tuple(dict.fromkeys(max(1, round(depth * layers / OF)) for depth in DEPTHS))


def mapped(states: Floats) -> Floats:
    """[N, questions, 2]: t-SNE of the states [N, questions, hidden] of all languages together; always the same."""
    from sklearn.manifold import TSNE

    points = states.reshape(-1, states.shape[-1])
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    plane: Floats = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(points)
    return plane.reshape(*states.shape[:2], 2)

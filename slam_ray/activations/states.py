"""Hidden states of the prompts' last tokens at four depths, laid out in the plane by t-SNE (Figure 10)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from slam_ray.activations.plan import chosen_ids, counted_prompts, encode, plan_units
from slam_ray.config import CountedConfig, InputError, PromptsConfig, RunConfig, Section
from slam_ray.corpora import Prepared, Question, read_questions
from slam_ray.corpora.prompts import prompts_for
from slam_ray.models.reference import Model, ModelRef, check_chat
from slam_ray.store.artifact import Artifact
from slam_ray.store.location import Location
from slam_ray.store.step import Artifacts, Attempt, Derived, Input, Step
from slam_ray.terminal.progress import Progress

STATES_FILE = "states.npz"
# The layers of Figure 10, counted from 1, and the number of layers of the paper's model. Of another model the layers
# at the same depths are taken.
PAPER_LAYERS, PAPER_DEPTH = (1, 12, 22, 32), 32
QUESTIONS = 100  # the most in each language: more points hide one another
PERPLEXITY = 30.0  # the usual one of t-SNE; lower if there are few points

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
        layers: the layers whose outputs were mapped, counted from 1; the last one's after the final norm.
        questions: of each language.
    """

    languages: tuple[str, ...]
    layers: tuple[int, ...]
    questions: int


def states_step(config: RunConfig, questions: Input[Prepared], model: Model) -> Step[StatesResult]:
    """Map the state of the last counted token of parallel questions, by one replica in one process.

    A model's own answer is left out. The artifact's file is `states.npz`: `states` [depths, N, questions, hidden] and
    `map` [depths, N, questions, 2], float32.

    Raises:
        InputError: (when it is planned) prompts are to be put into the model's chat template and it has none.
    """
    number, dtype = min(config.activations.questions, QUESTIONS), config.model.dtype
    activations = CountedConfig(
        questions=number,
        groups=1,
        token_budget=config.activations.token_budget,
        text="prompt" if config.activations.text == "answer" else config.activations.text,
        tokens="last",
    )
    prompts = counted_prompts(activations, prompts_for(config.prompts, config.corpora.questions))

    def step_config(artifacts: Artifacts) -> StatesConfig:
        check_chat(prompts, artifacts[model])
        return StatesConfig(
            activations=activations, prompt=prompts.reasoning, chat=prompts.chat, thinking=prompts.thinking, dtype=dtype
        )

    def run(attempt: Attempt) -> StatesResult:
        corpus, languages = read_questions(attempt[questions]), attempt[questions].result.languages
        ids = chosen_ids((question.id for question in corpus), number)
        chosen = [question for question in corpus if question.id in set(ids)]
        layers: tuple[int, ...] = attempt.cluster.run_task(
            "counting", map_states, chosen, ids, languages, activations, prompts, attempt[model], dtype,
            attempt.output,
        )  # fmt: skip
        return StatesResult(languages=languages, layers=layers, questions=len(ids))

    inputs = {"questions": questions, "model": model}
    return Step("states", 3, Derived([model], step_config), inputs, StatesResult, run, workers="counting")


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
    output: Location,
    device: str,
) -> tuple[int, ...] | InputError:
    """Write `states.npz` to `output` and return the layers, or what is wrong: Ray would wrap an exception."""
    import torch

    from slam_ray.activations.counter import row_of
    from slam_ray.models.forward_pass import decode
    from slam_ray.models.loading import load_model, load_tokenizer

    try:
        encoded = encode(questions, activations, prompts, load_tokenizer(model.base, model.trusted))
        units = plan_units(encoded, ids, 1, activations.token_budget)
    except InputError as error:
        return error
    loaded = load_model(model, dtype, device)
    size: Any = loaded.config
    layers = mapped_layers(size.num_hidden_layers)
    states = np.zeros((len(layers), len(languages), len(ids), size.hidden_size), dtype=np.float32)
    progress = Progress("states", len(encoded), "questions")
    for batch in (batch for unit in units for batch in unit.passes):
        row = row_of(batch)
        with torch.inference_mode():
            hidden = decode(loaded, row, all_layers=True).hidden_states
        assert hidden is not None
        for question, start in zip(batch, row.boundaries.tolist(), strict=False):
            cell = languages.index(question.language), ids.index(question.id)
            for depth, layer in enumerate(layers):
                states[depth, *cell] = hidden[layer][0, start + question.end - 1].float().cpu().numpy()
        progress.advance(len(batch))
    if not np.isfinite(states).all():
        return InputError(f"the model's states are not finite in {dtype}; set another model.dtype")
    with output.staging_folder() as folder:
        np.savez(folder / STATES_FILE, states=states, map=np.stack([tsne(each) for each in states]))
    return layers


def mapped_layers(layers: int) -> tuple[int, ...]:
    """Those of a model's layers, counted from 1, that lie as deep as the paper's."""
    return tuple(dict.fromkeys(max(1, round(layer * layers / PAPER_DEPTH)) for layer in PAPER_LAYERS))


def tsne(states: Floats) -> Floats:
    """[N, questions, 2]: the states [N, questions, hidden] of all languages in one plane; always the same one."""
    from sklearn.manifold import TSNE

    points = states.reshape(-1, states.shape[-1])
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    plane: Floats = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(points)
    return plane.reshape(*states.shape[:2], 2)

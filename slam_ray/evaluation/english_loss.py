"""What tuning makes a model forget: its loss on plain English text that it is not tuned on, before and after."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from slam_ray.config import ExecutionConfig, InputError, Section
from slam_ray.corpora import Prepared, read_questions
from slam_ray.corpora.tokens import check_unmarked, marks_of, tokens_of
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.step import Artifact, Attempt, Step

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# A longer text counts with its first tokens; texts are packed into rows of so many.
TEXT_TOKENS, ROW_TOKENS = 1024, 2048


class EnglishLossConfig(Section):
    """What decides the loss besides the model and the texts."""

    dtype: str


class EnglishLoss(BaseModel):
    """The loss of a model on texts.

    Attributes:
        loss: nats per token, over all tokens of all texts but the first of each.
        tokens: how many these are.
        texts: how many there are.
    """

    loss: float
    tokens: int
    texts: int


def english_loss_step(
    dtype: str, texts: Artifact[Prepared], model: ModelRef, execution: ExecutionConfig
) -> Step[EnglishLoss]:
    """The loss of `model` on `texts`, by one replica in one process like those that count."""

    def run(attempt: Attempt) -> EnglishLoss:
        asked = [text.question for text in read_questions(texts)]
        return attempt.context.once("counting", english_loss, asked, model, dtype, Path(execution.model_cache))

    made_of = EnglishLossConfig(dtype=dtype)
    return Step("english-loss", 2, made_of, {"texts": texts, "model": model}, EnglishLoss, run, workers="counting")


def english_loss(
    texts: Sequence[str], model: ModelRef, dtype: str, cache: Path, device: str
) -> EnglishLoss | InputError:
    """Each text on its own, after the beginning of sequence if the model has one.

    Returns:
        The loss, or what is wrong: Ray would wrap an exception.
    """
    import numpy as np
    import torch

    from slam_ray.models.loading import load_model, load_tokenizer
    from slam_ray.models.placing import place
    from slam_ray.training.batches import Example, rows_of_rank, target_tokens
    from slam_ray.training.loss import negative_log_likelihood

    folder = place(model, cache)
    try:
        tokenizer = load_tokenizer(folder, model.trusted)
        check_texts(tokenizer, texts)
    except InputError as error:
        return error
    examples = []
    for text in tokens_of(tokenizer, texts):
        first = max(text.begins, 1)  # what nothing predicts
        if len(text.ids) > first:
            examples.append(Example(np.array(text.ids[:TEXT_TOKENS], np.int32), first))
    if not examples:
        return InputError("corpora.english: no text has two tokens")
    loaded = load_model(folder, dtype, model.trusted, device)
    total = 0.0
    with torch.no_grad():
        for row in rows_of_rank(examples, ROW_TOKENS, rank=0, ranks=1):
            total += negative_log_likelihood(loaded, row, torch.device(device)).item()
    tokens = target_tokens(examples)
    return EnglishLoss(loss=total / tokens, tokens=tokens, texts=len(examples))


def check_texts(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> None:
    """Raise InputError if a text spells the beginning or end of a sequence."""
    marks = marks_of(tokenizer)
    for text in texts:
        check_unmarked(marks, text, f"corpora.english: the text {text!r}")

"""What tuning makes a model forget: its loss on plain English text on which it is not tuned."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel

from slam_ray.config import InputError, RunConfig, Section
from slam_ray.corpora import Prepared, read_questions
from slam_ray.corpora.tokens import check_unmarked, marks_of, tokens_of
from slam_ray.models.packing import TokenizedText, rows_of_rank, target_tokens
from slam_ray.models.reference import Model, ModelRef
from slam_ray.store.step import Attempt, Input, Step

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Of a longer text only the first tokens count; texts are packed into rows of so many.
TEXT_TOKENS, ROW_TOKENS = 1024, 2048


class EnglishLossConfig(Section):
    """What decides the loss besides the model and the texts."""

    dtype: str


class EnglishLoss(BaseModel):
    """The loss of a model on texts.

    Attributes:
        loss: nats per token, over all tokens of all texts but the first of each.
        tokens: number of these tokens.
        texts: number of texts.
    """

    loss: float
    tokens: int
    texts: int


def english_loss_step(config: RunConfig, texts: Input[Prepared], model: Model) -> Step[EnglishLoss]:
    """The loss of `model` on `texts`, computed in one process with the resources of a counting worker."""
    dtype = config.model.dtype

    def run(attempt: Attempt) -> EnglishLoss:
        contents = [text.question for text in read_questions(attempt[texts])]
        return attempt.cluster.run_task("counting", english_loss, contents, attempt[model], dtype)

    step_config = EnglishLossConfig(dtype=dtype)
    return Step("english-loss", 3, step_config, {"texts": texts, "model": model}, EnglishLoss, run, workers="counting")


def english_loss(texts: Sequence[str], model: ModelRef, dtype: str, device: str) -> EnglishLoss | InputError:
    """Score each text alone, after the beginning of sequence if the model has one.

    Returns:
        The loss, or what is wrong with the texts or the tokenizer: Ray would wrap an exception.
    """
    import numpy as np
    import torch

    from slam_ray.models.forward_pass import TargetLoss
    from slam_ray.models.loading import load_model, load_tokenizer

    try:
        tokenizer = load_tokenizer(model.base, model.trusted)
        check_texts(tokenizer, texts)
    except InputError as error:
        return error
    examples = []
    for text in tokens_of(tokenizer, texts):
        first = max(text.begins, 1)  # nothing predicts the tokens before it
        if len(text.ids) > first:
            examples.append(TokenizedText(np.array(text.ids[:TEXT_TOKENS], np.int32), first))
    if not examples:
        return InputError("corpora.english: no text has two tokens")
    loss = TargetLoss(load_model(model, dtype, device))
    with torch.no_grad():
        total = sum(loss(row).item() for row in rows_of_rank(examples, ROW_TOKENS))
    tokens = target_tokens(examples)
    return EnglishLoss(loss=total / tokens, tokens=tokens, texts=len(examples))


def check_texts(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> None:
    """Raise InputError if a text spells the beginning or end of a sequence."""
    marks = marks_of(tokenizer)
    for text in texts:
        check_unmarked(marks, text, f"corpora.english: the text {text!r}")

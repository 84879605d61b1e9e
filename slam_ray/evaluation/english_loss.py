"""What tuning makes a model forget: its loss on plain English text that it is not tuned on, before and after."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from slam_ray.config import ExecutionConfig, InputError, Section
from slam_ray.corpora import Prepared, read_questions
from slam_ray.models.reference import ModelRef
from slam_ray.pipeline.step import Artifact, Attempt, Step

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
    return Step("english-loss", 1, made_of, {"texts": texts, "model": model}, EnglishLoss, run, workers="counting")


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
    encoded = load_tokenizer(folder, model.trusted)(list(texts), truncation=True, max_length=TEXT_TOKENS)["input_ids"]
    examples = [Example(np.array(tokens, np.int32), prompt=1) for tokens in encoded if len(tokens) > 1]
    if not examples:
        return InputError("corpora.english: no text has two tokens")
    loaded = load_model(folder, dtype, model.trusted, device)
    total = 0.0
    with torch.no_grad():
        for row in rows_of_rank(examples, ROW_TOKENS, rank=0, ranks=1):
            total += negative_log_likelihood(loaded, row, torch.device(device)).item()
    tokens = target_tokens(examples)
    return EnglishLoss(loss=total / tokens, tokens=tokens, texts=len(examples))

"""The peer of our training: `transformers.Trainer` with dynamic padding, no checkpoints and nothing else turned on."""

import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from slam_ray.models.packing import TokenizedText

if TYPE_CHECKING:
    from transformers import PreTrainedModel

IGNORED = -100  # a label that carries no loss


def seconds_per_step(
    model: "PreTrainedModel", texts: Sequence[TokenizedText], device_batch: int, accumulation: int
) -> list[float]:
    """Train on the texts in their order, once; the seconds of each optimizer step."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    ends = []

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            if model.device.type == "cuda":
                torch.cuda.synchronize(model.device)
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=device_batch,
            gradient_accumulation_steps=accumulation,
            num_train_epochs=1,
            learning_rate=1e-5,
            lr_scheduler_type="cosine",
            weight_decay=0.0,
            max_grad_norm=1.0,
            train_sampling_strategy="sequential",
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=model.device.type == "cpu",
        )
        rows: Any = [_row(text) for text in texts]
        Trainer(model=model, args=arguments, train_dataset=rows, data_collator=_padded, callbacks=[Clock()]).train()
    return [after - before for before, after in pairwise(ends)]


def _row(text: TokenizedText) -> dict[str, torch.Tensor]:
    tokens = torch.from_numpy(text.tokens).long()
    labels = tokens.clone()
    labels[: text.prompt] = IGNORED
    return {"input_ids": tokens, "labels": labels}


def _padded(rows: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    def pad(name: str, value: int) -> torch.Tensor:
        parts = [row[name] for row in rows]
        return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=value)

    tokens = pad("input_ids", 0)
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    present = torch.arange(tokens.shape[1]) < lengths[:, None]
    return {"input_ids": tokens, "attention_mask": present.long(), "labels": pad("labels", IGNORED)}

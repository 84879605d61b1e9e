"""Train the demo's base model: `python -m slam_ray.demo.train_base --seed 0 --out DIR`.

It stands in for MetaMath: it reasons in English, well in six languages, badly in the three it saw little of. Plain
torch, one process; writes DIR/pretrained (before the reasoning mix), DIR/base and DIR/training_log.jsonl.
"""

import argparse
import copy
import json
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from slam_ray.demo.mixture import Mixture, TrainingText, training_texts
from slam_ray.demo.tokenizer import build_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH = 16
WARM_UP = 100
EMBEDDING_RATE = 0.4  # of the matrices' learning rate
POOL = 32  # batches whose examples are sorted by length together, so that there is little padding
LOG_EVERY = 50


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one mixture: warm-up, then linearly to zero; the rate is of the weight matrices."""

    name: str
    tokens: int
    learning_rate: float
    mixture: Mixture


PRETRAINING = (
    Phase(
        "text",
        tokens=700_000,
        learning_rate=1e-2,
        mixture=Mixture(reasoning=0, drills=0.15, text=0.50, english_text=0.10, translation=0.25, foreign_reasoning=0),
    ),
)
REASONING = (
    Phase(
        "reasoning",
        tokens=2_200_000,
        learning_rate=1e-2,
        mixture=Mixture(reasoning=0.46, drills=0.12, text=0.05, translation=0.22, foreign_reasoning=0.15),
    ),
    Phase(
        "multilingual",
        tokens=1_100_000,
        learning_rate=5e-3,
        mixture=Mixture(
            reasoning=0.38,
            drills=0.08,
            text=0.04,
            translation=0.28,
            foreign_reasoning=0.22,
            low_resource_translation=0.3,
        ),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1, help="the sums' order, so the last bits, depend on it")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train_base(arguments.seed, arguments.out, PRETRAINING, REASONING)


def train_base(seed: int, out: Path, pretraining: tuple[Phase, ...], reasoning: tuple[Phase, ...]) -> None:
    """Train both stages from scratch and save the model after each."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer()
    torch.manual_seed(seed)
    model = LlamaForCausalLM(base_config(tokenizer))
    random_ = random.Random(seed)
    started = time.monotonic()
    with (out / "training_log.jsonl").open("w") as log:
        for phases, name in ((pretraining, "pretrained"), (reasoning, "base")):
            for phase in phases:
                for line in train_phase(model, tokenizer, phase, random_):
                    record = {**asdict(line), "seconds": round(time.monotonic() - started)}
                    print(json.dumps(record), file=log, flush=True)
                    print(json.dumps(record), flush=True)
            save(model, tokenizer, out / name)


def base_config(tokenizer: "PreTrainedTokenizerBase") -> LlamaConfig:
    """About 2 M parameters; heads of 32, the smallest that vLLM runs on a CPU."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


@dataclass(frozen=True)
class LogLine:
    """Where the training stands; the loss is the mean over target tokens since the last line."""

    phase: str
    step: int
    tokens: int
    learning_rate: float
    loss: float


def train_phase(
    model: LlamaForCausalLM, tokenizer: "PreTrainedTokenizerBase", phase: Phase, random_: random.Random
) -> Iterator[LogLine]:
    """Train on one mixture until its tokens (prompts included, padding not) are used up; yields log lines."""
    model.train()
    muon, adam = optimizers(model)
    tokens, losses = 0, []
    for step, batch in enumerate(batches(training_texts(phase.mixture, tokenizer, random_), random_), start=1):
        progress = min(tokens / phase.tokens, 1.0)
        rate = phase.learning_rate * min(1.0, step / WARM_UP) * (1 - progress)
        for optimizer, factor in ((muon, 1.0), (adam, EMBEDDING_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        loss = target_loss(model, batch, tokenizer.pad_token_id)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in (muon, adam):
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        tokens += sum(len(example.tokens) for example in batch)
        if step % LOG_EVERY == 0 or tokens >= phase.tokens:
            yield LogLine(phase.name, step, tokens, round(rate, 8), round(sum(losses) / len(losses), 4))
            losses = []
        if tokens >= phase.tokens:
            return


def optimizers(model: LlamaForCausalLM) -> tuple[torch.optim.Muon, torch.optim.AdamW]:
    """Muon for the weight matrices, AdamW for embeddings and norms; the rates are set at each step."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, weight in model.named_parameters():
        (matrices if weight.ndim == 2 and "embed" not in name else others).append(weight)
    muon = torch.optim.Muon(matrices, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    return muon, torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0, fused=True)


def batches(stream: Iterator[TrainingText], random_: random.Random) -> Iterator[list[TrainingText]]:
    """Batches of examples of like length, in random order."""
    while True:
        pool = sorted((next(stream) for _ in range(BATCH * POOL)), key=lambda example: len(example.tokens))
        sliced = [pool[start : start + BATCH] for start in range(0, len(pool), BATCH)]
        random_.shuffle(sliced)
        yield from sliced


def target_loss(model: LlamaForCausalLM, batch: list[TrainingText], padding: int) -> torch.Tensor:
    """Mean negative log-likelihood of the batch's target tokens; padding on the right needs no mask."""
    length = max(len(example.tokens) for example in batch)
    ids = torch.full((len(batch), length), padding)
    wanted = torch.zeros((len(batch), length), dtype=torch.bool)
    for row, example in enumerate(batch):
        ids[row, : len(example.tokens)] = torch.tensor(example.tokens)
        wanted[row, example.target : len(example.tokens)] = True
    hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
    logits = model.lm_head(hidden[wanted[:, 1:]])
    return torch.nn.functional.cross_entropy(logits, ids[:, 1:][wanted[:, 1:]])


def save(model: LlamaForCausalLM, tokenizer: "PreTrainedTokenizerBase", directory: Path) -> None:
    """Write the checkpoint in bfloat16 with its tokenizer; the model in memory stays as it is."""
    stored = copy.deepcopy(model).bfloat16()
    stored.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    stored.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


if __name__ == "__main__":
    main()

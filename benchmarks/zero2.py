"""Does ZeRO-2 train as one plain process with float32 masters does? `python -m benchmarks.zero2 --workers 2`.

Two references take the same steps: one with the same packed rows, whose losses, gradient norms and masters differ by
the order of sums alone; and one with one text at a time, transformers' own attention and the logits of all tokens.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.multiprocessing

from benchmarks.shapes import random_model
from slam_ray.models.families import FAMILIES
from slam_ray.models.forward_pass import TargetLoss
from slam_ray.models.packing import TokenizedText, rows_of_rank, target_tokens
from slam_ray.models.trainable import tune_only

if TYPE_CHECKING:
    from transformers import PreTrainedModel

STEPS, TEXTS, RATE = 3, 12, 2e-4
# What is trained: so few parameters that gradients are reduced once a step, and so many that each row's are.
TRAINED = {"few": ((0, 2), ("up", "down")), "many": ((0, 1, 2, 3), ("layer",))}
Masters = dict[str, torch.Tensor]
Taken = tuple[list[float], list[float], Masters]  # losses, gradient norms, float32 weights after the steps
Gradients = Callable[["PreTrainedModel", list[TokenizedText]], float]  # adds them; returns the mean loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="tiny")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--longest", type=int, default=120, help="tokens of a text")
    arguments = parser.parse_args()
    print(json.dumps(differences(arguments.shape, arguments.dtype, arguments.workers, arguments.longest)))


def differences(shape: str, dtype: str, workers: int, longest: int) -> dict[str, dict[str, float]]:
    """By what is trained and reference: the largest relative differences of losses, norms, and masters.

    That of the masters is the root mean square of their difference over that of the update.
    """
    if not torch.cuda.is_available():
        os.environ["DS_ACCELERATOR"] = "cpu"
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": str(workers)}
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_worker, (shape, dtype, workers, longest, Path(folder)), nprocs=workers)
        taken: dict[str, Taken] = {trained: torch.load(Path(folder) / f"{trained}.pt") for trained in TRAINED}
    found = {}
    for trained, ours in taken.items():
        model = random_model(shape, getattr(torch, dtype), _device())
        before = {name: weight.detach().float().cpu() for name, weight in model.named_parameters()}
        for name, attention, gradients in (
            ("same rows", None, _of_rows(longest, workers)),
            ("one by one", "sdpa", _one_by_one),
        ):
            model = random_model(shape, getattr(torch, dtype), _device())
            if attention:
                model.set_attn_implementation(attention)
            theirs = _plain(model, trained, longest, gradients)
            found[f"{trained}, {name}"] = _difference(ours, theirs, before)
    return found


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _batches(vocabulary: int, longest: int) -> Iterator[list[TokenizedText]]:
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        sizes = random.integers(longest // 4, longest + 1, TEXTS)
        yield [TokenizedText(random.integers(3, vocabulary, size, np.int32), int(size) // 2) for size in sizes]


def _tuned(model: "PreTrainedModel", trained: str) -> dict[str, torch.nn.Parameter]:
    tune_only(model, FAMILIES["llama"], *TRAINED[trained])
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def _worker(rank: int, shape: str, dtype: str, workers: int, longest: int, folder: Path) -> None:
    """Take the steps by ZeRO-2; rank 0 writes what came of them."""
    import warnings

    warnings.filterwarnings("ignore", category=FutureWarning)  # of DeepSpeed's calls into torch
    from slam_ray.training.checkpoint import master_weights
    from slam_ray.training.zero import Zero2

    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    store = torch.distributed.FileStore(str(folder / "store"), workers)
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=workers)
    for trained in TRAINED:
        model = random_model(shape, getattr(torch, dtype), _device())
        parameters = _tuned(model, trained)
        zero = Zero2(TargetLoss(model), list(parameters.values()), dtype)
        losses, norms = [], []
        for texts in _batches(model.config.vocab_size, longest):
            zero.optimizer.param_groups[0]["lr"] = RATE
            rows, targets = rows_of_rank(texts, 2 * longest, rank, workers), target_tokens(texts)
            total = zero.accumulate(rows, 1 / targets)
            torch.distributed.all_reduce(total)
            losses.append(total.item() / targets)
            norms.append(zero.step())
        masters = master_weights(parameters)
        if rank == 0:
            torch.save((losses, norms, masters), folder / f"{trained}.pt")
    torch.distributed.destroy_process_group()


def _plain(model: "PreTrainedModel", trained: str, longest: int, gradients: Gradients) -> Taken:
    """Take the steps with plain torch."""
    parameters = _tuned(model, trained)
    masters = {name: torch.nn.Parameter(weight.detach().float()) for name, weight in parameters.items()}
    for weight in parameters.values():
        weight.grad_dtype = torch.float32
    optimizer = torch.optim.AdamW(masters.values(), RATE, (0.9, 0.999), 1e-8, weight_decay=0.0)
    losses, norms = [], []
    for texts in _batches(model.config.vocab_size, longest):
        losses.append(gradients(model, texts))
        for name, weight in parameters.items():
            masters[name].grad, weight.grad = weight.grad, None
        norms.append(torch.nn.utils.clip_grad_norm_(masters.values(), 1.0).item())
        optimizer.step()
        with torch.no_grad():
            for name, weight in parameters.items():
                weight.copy_(masters[name])
    return losses, norms, {name: weight.detach().cpu() for name, weight in masters.items()}


def _of_rows(longest: int, workers: int) -> Gradients:
    def gradients(model: "PreTrainedModel", texts: list[TokenizedText]) -> float:
        targets, loss = target_tokens(texts), TargetLoss(model)
        total = 0.0
        for rank in range(workers):
            for row in rows_of_rank(texts, 2 * longest, rank, workers):
                part = loss(row)
                (part / targets).backward()
                total += part.item()
        return total / targets

    return gradients


def _one_by_one(model: "PreTrainedModel", texts: list[TokenizedText]) -> float:
    targets, total = target_tokens(texts), 0.0
    for text in texts:
        tokens = torch.from_numpy(text.tokens).long().to(model.device)
        logits: Any = model(tokens[None, :-1]).logits[0, text.prompt - 1 :]
        part = torch.nn.functional.cross_entropy(logits.float(), tokens[text.prompt :], reduction="sum")
        (part / targets).backward()
        total += part.item()
    return total / targets


def _difference(ours: Taken, theirs: Taken, before: Masters) -> dict[str, float]:
    def relative(mine: list[float], other: list[float]) -> float:
        return max(abs(a - b) / abs(b) for a, b in zip(mine, other, strict=True))

    (losses, norms, masters), (other_losses, other_norms, others) = ours, theirs
    difference = torch.cat([(masters[name] - others[name]).flatten() for name in masters])
    update = torch.cat([(others[name] - before[name]).flatten() for name in masters])
    return {
        "loss": relative(losses, other_losses),
        "gradient norm": relative(norms, other_norms),
        "masters": (difference.norm() / update.norm()).item(),
    }


if __name__ == "__main__":
    main()

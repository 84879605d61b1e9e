"""Counts, training, attention and memory on a GPU against the CPU, a plain process, SDPA and `transformers.Trainer`.

`bash benchmarks/gpu.sh` runs every part in a process of its own, prints one JSON object as its last line, and keeps to
eight minutes: a part that finds no time left says so in its place, and so does one that fails.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.flops import training_flops
from benchmarks.shapes import SHAPES, random_model, shape
from benchmarks.transformers_trainer import seconds_per_step
from slam_ray.activations.counter import Counter
from slam_ray.activations.plan import Encoded
from slam_ray.models.families import FAMILIES
from slam_ray.models.forward_pass import TargetLoss
from slam_ray.models.packed_attention import Texts, attention, by_kernel, by_text
from slam_ray.models.packing import TokenizedText, rows_of_rank, target_tokens
from slam_ray.models.trainable import tune_only

SECONDS = 480.0
LAYERS, PROJECTIONS = range(6), ("up", "down")  # the paper's, of a 7B model
BATCH, ROW, STEPS, WARM_UP = 32, 2048, 6, 2  # pairs, tokens of a row, steps
TOKENS = {"tiny": 24}  # of a pair on average, where it is not that of real ones
REAL_TOKENS = 227


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["all", *PARTS])
    parser.add_argument("--shapes", nargs="+", default=["1b", "7b"], choices=SHAPES)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    if arguments.part == "all":
        print(json.dumps(run_all(arguments.shapes, arguments.seconds)))
    else:
        print(json.dumps(PARTS[arguments.part](*arguments.shapes)))


def run_all(shapes: Sequence[str], seconds: float) -> dict[str, Any]:
    """The figures of every part, by its name and shape."""
    end = time.monotonic() + seconds
    own = [sys.executable, "-m", "benchmarks.gpu"]
    commands = {"machine": [*own, "machine", "--shapes", shapes[0]]}
    commands |= {f"attention {name}": [*own, "attention", "--shapes", name] for name in shapes}
    commands["zero2"] = [sys.executable, "-m", "benchmarks.zero2"]
    commands["counts"] = [*own, "counts", "--shapes", shapes[0]]
    for name in shapes:
        for system in ("slam", "trainer"):
            commands[f"{system} {name}"] = [*own, system, "--shapes", name]
    if torch.cuda.is_available() and find_spec("vllm") and find_spec("ray"):
        demo = ["submit-local", "--", "python", "jobs/run_slam.py", "demo", "--execution.device", "gpu"]
        commands["demo"] = [str(Path(sys.executable).with_name("slam-ray")), *demo]
    found: dict[str, Any] = {}
    for part, command in commands.items():
        began = time.monotonic()
        found[part] = _run(command, end - began)
        print(f"{part}: {time.monotonic() - began:.0f} s: {json.dumps(found[part])}", flush=True)
    for name in shapes:
        ours, theirs = found[f"slam {name}"], found[f"trainer {name}"]
        if "tokens_per_second" in ours and "tokens_per_second" in theirs:
            ours["ratio"] = ours["tokens_per_second"] / theirs["tokens_per_second"]
    return found


def _run(command: Sequence[str], seconds: float) -> dict[str, Any]:
    if seconds <= 0:
        return {"left out": "no time was left"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than the {seconds:.0f} s that were left"}
    if done.returncode:
        return {"failed": done.stderr[-1500:]}
    last = done.stdout.strip().splitlines()[-1]
    found: dict[str, Any] = json.loads(last) if last.startswith("{") else {"last line": last}
    return found


def machine(name: str) -> dict[str, Any]:
    """The device, and its peak in FLOP/s by a large matrix product in bfloat16."""
    device = _device()
    size = 8192 if device.type == "cuda" else 1024
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    seconds = min(_seconds(lambda: matrix @ matrix, device) for _ in range(5))
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "none"
    return {"gpu": gpu, "torch": torch.__version__, "peak_flops": 2 * size**3 / seconds}


def attention_of(name: str) -> dict[str, Any]:
    """How far the attention of a packed row is from float32 with a mask over the whole row, and how long it takes."""
    device, config = _device(), shape(name)
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    assert groups is not None
    size = config.hidden_size // heads
    lengths = tuple(len(text.tokens) for text in _texts(name, BATCH))
    boundaries = torch.tensor(np.cumsum([0, *lengths]), dtype=torch.int32, device=device)
    texts, tokens = Texts(lengths, boundaries), sum(lengths)
    text_of = torch.repeat_interleave(torch.arange(len(lengths), device=device), torch.tensor(lengths, device=device))
    inputs = [
        torch.randn(1, count, tokens, size, device=device, dtype=torch.bfloat16) for count in (heads, groups, groups)
    ]
    found: dict[str, Any] = {"tokens": tokens, "texts": len(lengths)}
    for window in (None, min(lengths)):
        position = torch.arange(tokens, device=device)
        seen = (text_of[:, None] == text_of) & (position[:, None] >= position)
        if window is not None:
            seen &= position[:, None] - position < window
        outputs = []
        for dtype in (torch.float32, torch.bfloat16):
            given = [states.to(dtype).detach().requires_grad_() for states in inputs]
            if dtype == torch.float32:
                key, value = (states.repeat_interleave(heads // groups, dim=1) for states in given[1:])
                product = torch.nn.functional.scaled_dot_product_attention(given[0], key, value, attn_mask=seen)
                attended = product.transpose(1, 2)
            else:
                query, key, value = given
                module = torch.nn.Module()
                attended, _ = attention(
                    module, query, key, value, None, scaling=size**-0.5, sliding_window=window, texts=texts
                )
            attended.float().square().sum().backward()
            outputs.append([attended.detach(), *(states.grad for states in given)])
        found["largest difference, windowed" if window else "largest difference"] = [
            ((mine.float() - theirs).abs().max() / theirs.abs().max()).item()
            for theirs, mine in zip(*outputs, strict=True)
        ]
    ways = {"by text": by_text} | ({"by kernel": by_kernel} if device.type == "cuda" else {})
    for way, function in ways.items():
        given = [states.detach().requires_grad_() for states in inputs]

        def both_ways(function: Any = function, given: Any = given) -> None:
            function(*given, texts, scaling=size**-0.5).float().sum().backward()

        found[f"seconds {way}"] = min(_seconds(both_ways, device) for _ in range(3))
    return found


def counts(name: str) -> dict[str, Any]:
    """At what share of tokens and neurons the counts on this device differ from those on the CPU, by dtype."""
    device = _device()
    texts = _texts(name, 8)
    passes = [[Encoded("", "", tuple(text.tokens.tolist()), 1, len(text.tokens)) for text in texts]]
    tokens = sum(len(text.tokens) - 1 for text in texts)
    found: dict[str, Any] = {"tokens": tokens}
    for dtype in (torch.float32, torch.bfloat16):
        model = random_model(name, dtype, torch.device("cpu"))
        here = Counter(model, FAMILIES["llama"]).count(passes).astype(np.int64)
        for module in model.modules():
            module._forward_hooks.clear()
        there = Counter(model.to(device), FAMILIES["llama"]).count(passes).astype(np.int64)  # type: ignore[arg-type]
        found[str(dtype)] = float(np.abs(here - there).mean() / tokens)
    return found


def slam(name: str) -> dict[str, Any]:
    """Our training step: tokens/s, share of the peak that its FLOPs are, and peak memory in bytes."""
    from slam_ray.training.zero import Zero2

    device = _device()
    model = random_model(name, torch.bfloat16, device)
    layers = range(min(len(LAYERS), model.config.num_hidden_layers))
    tune_only(model, FAMILIES["llama"], layers, PROJECTIONS)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
        if device.type == "cpu":
            os.environ["DS_ACCELERATOR"] = "cpu"
        store = torch.distributed.FileStore(f"{folder}/store", 1)
        backend = "nccl" if device.type == "cuda" else "gloo"
        torch.distributed.init_process_group(backend, store=store, rank=0, world_size=1)
        zero = Zero2(TargetLoss(model), trained, "bfloat16")
        seconds = []
        for step in range(WARM_UP + STEPS):
            texts = _texts(name, BATCH, seed=step)
            zero.optimizer.param_groups[0]["lr"] = 1e-5

            def take(texts: Sequence[TokenizedText] = texts) -> None:
                zero.accumulate(rows_of_rank(texts, ROW), 1 / target_tokens(texts))
                zero.step()

            seconds.append(_seconds(take, device))
        torch.distributed.destroy_process_group()
    return _figures(name, seconds, device) | {"peak_flops_share": _share_of_peak(name, seconds, device)}


def trainer(name: str) -> dict[str, Any]:
    """`transformers.Trainer` on the same texts and weights, with dynamic padding in batches of 8."""
    device = _device()
    model = random_model(name, torch.bfloat16, device, attention="sdpa")
    tune_only(model, FAMILIES["llama"], range(min(len(LAYERS), model.config.num_hidden_layers)), PROJECTIONS)
    texts = [text for step in range(WARM_UP + STEPS) for text in _texts(name, BATCH, seed=step)]
    return _figures(name, seconds_per_step(model, texts, device_batch=8, accumulation=BATCH // 8), device)


PARTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "machine": machine,
    "attention": attention_of,
    "counts": counts,
    "slam": slam,
    "trainer": trainer,
}


def _share_of_peak(name: str, seconds: Sequence[float], device: torch.device) -> float:
    config = shape(name)
    layers = range(min(len(LAYERS), config.num_hidden_layers))
    flops = sum(sum(training_flops(config, _texts(name, BATCH, seed=step), layers)) for step in _measured())
    return float(flops / sum(seconds[step] for step in _measured()) / machine(name)["peak_flops"])


def _figures(name: str, seconds: Sequence[float], device: torch.device) -> dict[str, Any]:
    tokens = sum(len(text.tokens) for step in _measured() for text in _texts(name, BATCH, seed=step))
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {"tokens_per_second": tokens / sum(seconds[step] for step in _measured()), "peak_memory": peak}


def _measured() -> range:
    return range(WARM_UP, WARM_UP + STEPS)


def _texts(name: str, count: int, seed: int = 0) -> list[TokenizedText]:
    """Random texts as long as real translation pairs, of which the second half carries loss."""
    random, mean = np.random.default_rng(seed), TOKENS.get(name, REAL_TOKENS)
    lengths = np.clip(random.gamma(6.0, mean / 6.0, count), 8, 4 * mean).astype(int)
    vocabulary = SHAPES[name]["vocab_size"]
    return [TokenizedText(random.integers(3, vocabulary, size, np.int32), int(size) // 2) for size in lengths]


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    main()

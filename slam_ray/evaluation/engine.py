"""One vLLM engine in one Ray actor: token ids in, token ids out, greedy, by one model after another of the same base.

The engine runs inside the actor's process, so that no child can outlive it. It changes that process (threads,
allocator), so nothing else runs there. vLLM is imported only after the environment below is set.
"""

import logging
import os
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from slam_ray.config import InputError
from slam_ray.evaluation.responses import Finish
from slam_ray.models.checkpoint import without_strays
from slam_ray.models.context_length import ContextLength
from slam_ray.models.reference import ModelRef
from slam_ray.models.weights import stored_tensors, trained_layers

if TYPE_CHECKING:
    from vllm.engine.arg_utils import EngineArgs
    from vllm.v1.engine.llm_engine import LLMEngine

# An engine's context is a multiple of this, or the model's: so most generations can use the same kind of engine.
CONTEXT_STEP = 8192
# `advance` returns this often, so that finished responses are written and a stuck engine is noticed.
SLICE_S = 0.5
# Without a GPU the KV cache has this much memory, or more if so many sequences of CONTEXT_STEP tokens need it, or one
# sequence of full length; blocks of 128 tokens are added, for the last one begun and for those that vLLM keeps.
CPU_CACHE_BYTES, CPU_CACHE_SEQUENCES, CPU_CACHE_SPARE = 512 * 2**20, 4, 512


def environment(cpus: int) -> dict[str, str]:
    """Environment variables of an engine's process; they must be set before it imports torch and vLLM."""
    return {
        # The engine's core runs in the actor itself instead of in a child process.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        # Engines that share a machine without a GPU must not bind their threads to the same cores.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        # As many threads as Ray has set aside cores for this actor.
        "OMP_NUM_THREADS": str(cpus),
        # Idle threads sleep instead of spinning on a core that another engine could use.
        "OMP_WAIT_POLICY": "PASSIVE",
        # No statistics about this use are sent to vLLM's makers.
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        # Models are folders; nothing is looked up on a hub.
        "HF_HUB_OFFLINE": "1",
        # The process group of this one process stays on the loopback interface.
        "VLLM_HOST_IP": "127.0.0.1",
        # Errors only: a job's log shows what the job does.
        "VLLM_LOGGING_LEVEL": "ERROR",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        "PYTHONWARNINGS": "ignore",
    }


@dataclass(frozen=True)
class Request:
    """A prompt to continue: token ids, special tokens included, and how many new tokens there may be."""

    key: int
    prompt: tuple[int, ...]
    max_new_tokens: int


@dataclass(frozen=True)
class Completion:
    """The new tokens of a request, its end token included, and why they end."""

    key: int
    tokens: tuple[int, ...]
    finish: Finish


@dataclass(frozen=True)
class EngineKind:
    """What cannot change in a running engine besides the base: its dtype, and its context in tokens."""

    dtype: str
    context: int


def engine_context(model: ContextLength, longest: int) -> int:
    """Context of an engine whose longest prompt and answer have `longest` tokens together.

    A longer context costs memory. vLLM also uses the long factors of a long RoPE in any engine whose context exceeds
    the short ones, while transformers decides by the length of the text.
    """
    context = min(model.tokens, -(-longest // CONTEXT_STEP) * CONTEXT_STEP)
    return min(context, model.short) if model.short is not None and longest <= model.short else context


class Engine:
    """The actor's class."""

    def __init__(self) -> None:
        self._engine: LLMEngine | None = None
        # The 0-based layers whose weights are not the base's.
        self._tuned: set[int] = set()

    def ready(self) -> int:
        """Return the process id, at once: Ray has started the actor."""
        return os.getpid()

    def load(self, model: ModelRef, kind: EngineKind, gpu: bool) -> int:
        """Have the weights of `model`: start the engine on its base, or go on from another model with the same base.

        An engine whose load has failed may hold any weights, and has to end.

        Returns:
            How many sequences the engine works on at a time.

        Raises:
            InputError: its context does not fit the memory, or it does not hold the weights that it was given.
        """
        fresh = self._engine is None
        if self._engine is None:
            self._engine = _started(model, kind, gpu)
        layers = trained_layers(model)
        self._change(model, self._tuned | layers)
        # It imports vLLM, whose first messages the start keeps from the log.
        from slam_ray.evaluation.loaded_weights import check_weights

        self._engine.apply_model(partial(check_weights, model=model, layers=None if fresh else self._tuned | layers))
        self._tuned = layers
        return self._engine.vllm_config.scheduler_config.max_num_seqs

    def _change(self, model: ModelRef, layers: Collection[int]) -> None:
        """Put all weights of these layers of `model` into the running engine.

        vLLM fuses projections: of a module of several it needs every part, or it leaves memory as it finds it.
        """
        assert self._engine is not None
        assert not self._engine.has_unfinished_requests()
        if not layers:
            return
        tensors = stored_tensors(model, lambda name: model.family.layer_of(name) in layers)
        self._engine.collective_rpc("reload_weights", kwargs={"weights_iterator": tensors})
        cleared = self._engine.reset_prefix_cache()
        assert cleared, "the prefix cache still holds what the previous weights computed"

    def advance(self, requests: Sequence[Request], refill: int) -> list[Completion]:
        """Take new requests, work for a moment, and return what is finished.

        Args:
            requests: the new ones.
            refill: return as soon as fewer than so many are unfinished, because others are waiting.
        """
        from vllm import RequestOutput, SamplingParams
        from vllm.inputs.engine import tokens_input

        assert self._engine is not None
        for request in requests:
            greedy = SamplingParams(temperature=0, max_tokens=request.max_new_tokens, detokenize=False)
            self._engine.add_request(str(request.key), tokens_input(list(request.prompt)), greedy)
        finished: list[Completion] = []
        end = time.monotonic() + SLICE_S
        while self._engine.has_unfinished_requests() and time.monotonic() < end:
            for output in self._engine.step():
                assert isinstance(output, RequestOutput)
                if output.finished:
                    answer = output.outputs[0]
                    finish: Finish = "length" if answer.finish_reason == "length" else "stop"
                    finished.append(Completion(int(output.request_id), tuple(answer.token_ids), finish))
            if self._engine.get_num_unfinished_requests() < refill:
                break
        return finished


def _started(model: ModelRef, kind: EngineKind, gpu: bool) -> "LLMEngine":
    """An engine on the base of `model`."""
    # vLLM sets its own level only after its first messages.
    logging.getLogger("vllm").setLevel(logging.ERROR)
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.llm_engine import LLMEngine

    try:
        with without_strays(model.base) as folder:
            arguments = _arguments(str(folder), kind, gpu, model.trusted)
            # vLLM knows by the device how many tokens and sequences its own `LLM` takes at a time; without the
            # context it takes fewer.
            engine = LLMEngine.from_engine_args(arguments, usage_context=UsageContext.LLM_CLASS)
    except ValueError as error:
        fitting = re.search(r"KV cache .* estimated maximum model length is (\d+)", str(error))
        if fitting is None:
            raise
        raise InputError(
            f"an engine has no memory for {kind.context} tokens of a prompt and its answer, but for"
            f" {fitting[1]}: lower evaluation.max_new_tokens or execution.max_context"
        ) from None
    # vLLM sets it for its child processes. It has none here, and the loader of any other child would cut paths at
    # spaces, and say that it misses both halves.
    os.environ.pop("LD_PRELOAD", None)
    return engine


def _arguments(folder: str, kind: EngineKind, gpu: bool, trusted: bool) -> "EngineArgs":
    from vllm.engine.arg_utils import EngineArgs

    from slam_ray.evaluation.gemma3_text_part import text_part

    arguments = EngineArgs(
        model=folder,
        # By default vLLM reads files in Mistral's format where there are some, whatever the other files hold.
        config_format="hf",
        load_format="safetensors",
        hf_overrides=text_part,
        dtype=kind.dtype,  # type: ignore[arg-type]
        max_model_len=kind.context,
        seed=0,
        trust_remote_code=trusted,
        disable_log_stats=True,
        use_tqdm_on_load=False,
    )
    if not gpu:
        # Compiling takes longer than a small model runs, and the default cache is nearly all of the memory.
        arguments.enforce_eager = True
        tokens = max(CPU_CACHE_SEQUENCES * min(kind.context, CONTEXT_STEP), kind.context + CPU_CACHE_SPARE)
        arguments.kv_cache_memory_bytes = max(CPU_CACHE_BYTES, tokens * _token_bytes(folder, kind.dtype, trusted))
    return arguments


def _token_bytes(folder: str, dtype: str, trusted: bool) -> int:
    """Bytes that the keys and values of one token take in all layers."""
    import torch
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=trusted).get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * size * getattr(torch, dtype).itemsize)

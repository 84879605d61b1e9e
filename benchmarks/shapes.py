"""Models of known shapes with random weights, so that a measurement needs no download."""

from typing import TYPE_CHECKING, Any

import torch

from slam_ray.models.packed_attention import PACKED

if TYPE_CHECKING:
    from transformers import LlamaConfig, PreTrainedModel

# Of Llama: "7b" is Llama 2's (the paper's smaller model), "1b" Llama 3.2's; "tiny" is for tests.
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vocab_size": 259,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    },
    "1b": {
        "vocab_size": 128256,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "tie_word_embeddings": True,
    },
    "7b": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
    },
}


def shape(name: str) -> "LlamaConfig":
    """The config of a shape."""
    from transformers import LlamaConfig

    return LlamaConfig(**SHAPES[name], max_position_embeddings=4096, bos_token_id=0, eos_token_id=1, pad_token_id=2)


def random_model(name: str, dtype: torch.dtype, device: torch.device, attention: str = PACKED) -> "PreTrainedModel":
    """A model of a shape, always with the same weights on the same kind of device."""
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), device:
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            shape(name), dtype=dtype, attn_implementation=attention
        )
    return model.eval()

"""Tiny random models for tests: a real architecture of the family, its own tokenizer, written as a real checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slam_ray.models.loading import load_model
from slam_ray.models.reference import base_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VOCABULARY = 259  # 256 bytes, BOS, EOS, PAD
WINDOW = 16  # tokens that a sliding layer sees, fewer than many an example has
# Families with such layers, whether all or some are. Every published Qwen 2 and 3 has them turned off.
SLIDING = ("mistral", "phi3", "gemma2", "gemma3", "gemma3_text", "olmo3", "smollm3", "cohere2")
ALTERNATING = tuple(family for family in SLIDING if family not in ("mistral", "phi3"))
# Settings that every published model of a family has and the default lacks.
PUBLISHED_SETTINGS: dict[str, dict[str, Any]] = {
    "gemma3": {"query_pre_attn_scalar": 32},
    "gemma3_text": {"query_pre_attn_scalar": 32},
    "smollm3": {"use_sliding_window": True, "no_rope_layer_interval": 2},
    "granite": {
        "attention_multiplier": 0.1,
        "embedding_multiplier": 3.0,
        "residual_multiplier": 0.5,
        "logits_scaling": 2.0,
    },
    "cohere2": {"logit_scale": 0.25},
}


def loaded(folder: Path, dtype: str = "float32", *, trusted: bool = False) -> "PreTrainedModel":
    """The checkpoint in `folder`."""
    return load_model(base_model(str(folder), trusted), dtype)


# As those of instruct models: it writes BOS itself, trims the message, and turns thinking off by default.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<{{ message.role }}>{{ message.content | trim }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% if not enable_thinking %}<think></think>{% endif %}{% endif %}"
)


def byte_tokenizer(directory: Path, chat_template: str = "") -> None:
    """Write a tokenizer with one token a byte; it adds BOS in front once."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<s>", "</s>", "<pad>"]
    vocabulary = {token: index for index, token in enumerate(special + alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)]),
        ]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    )
    if chat_template:
        fast.chat_template = chat_template
    fast.save_pretrained(directory)


def tiny_llama(
    directory: Path, *, seed: int = 0, layers: int = 4, hidden: int = 64, intermediate: int = 96, heads: int = 2
) -> Path:
    """Write a random Llama (head size `hidden / heads`: vLLM on a CPU wants 32 or 64) and return its folder."""
    return tiny_model(
        directory, "llama", seed=seed, layers=layers, hidden=hidden, intermediate=intermediate, heads=heads
    )


def tiny_model(
    directory: Path,
    family: str,
    *,
    seed: int = 0,
    layers: int = 4,
    hidden: int = 64,
    intermediate: int = 96,
    heads: int = 2,
    positions: int = 1024,
    window: int = WINDOW,
    tied: bool = True,
) -> Path:
    """Write a random model of a family, by its `model_type`, and return its folder.

    With `tied` its language-model head is its embedding.

    Of a family whose layers have sliding windows every other layer has one of `window` tokens.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    names = {
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2,
        "head_dim": hidden // heads,
        "max_position_embeddings": positions,
    }
    if family == "gpt2":
        names = {
            "n_embd": hidden,
            "n_inner": intermediate,
            "n_layer": layers,
            "n_head": heads,
            "n_positions": positions,
        }
    if family in ("phi3", "qwen2"):
        del names["head_dim"]
    special = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    settings = PUBLISHED_SETTINGS.get(family, {})
    if family in SLIDING:
        settings = settings | {"sliding_window": window}
    if family in ALTERNATING:
        settings = settings | {
            "layer_types": [("sliding_attention", "full_attention")[layer % 2] for layer in range(layers)]
        }
    values = {
        **names,
        **special,
        **settings,
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": tied,
        "initializer_range": 0.1,
    }
    if family == "gemma3":
        vision = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1}
        images = {"image_token_index": VOCABULARY, "boi_token_index": VOCABULARY, "eoi_token_index": VOCABULARY}
        parts = {"text_config": values, "vision_config": {**vision, "image_size": 28, "patch_size": 14}}
        values = {**parts, **images, **special, "mm_tokens_per_image": 4, "initializer_range": 0.1}
    config = AutoConfig.for_model(family, **values)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(directory)
    byte_tokenizer(directory)
    return directory

"""FLOPs that work needs, to set a measured speed against the machine's peak.

What is recomputed, and padding, counts for nothing, so that shares of the peak can be compared.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slam_ray.models.packing import TokenizedText, target_tokens

if TYPE_CHECKING:
    from transformers import LlamaConfig


def forward_flops(config: "LlamaConfig", lengths: Sequence[int]) -> float:
    """Of the decoder on texts of these lengths, without the head: in products with weights, and in attention."""
    return config.num_hidden_layers * (_weights(config, sum(lengths)) + _attention(config, lengths))


def training_flops(config: "LlamaConfig", texts: Sequence[TokenizedText], layers: range) -> tuple[float, float]:
    """Of a step that tunes these layers' up and down: in products with weights, and in attention.

    All layers are computed forward, and backward those above the first tuned one, of which only what its up is behind.
    """
    lengths = [len(text.tokens) for text in texts]
    projection = _projection(config, sum(lengths))
    head = 2 * target_tokens(texts) * config.hidden_size * config.vocab_size
    above = config.num_hidden_layers - layers[0] - 1
    weights = (config.num_hidden_layers + above) * _weights(config, sum(lengths)) + 2 * head
    tuned = projection + 2 * len(layers) * projection
    return weights + tuned, (config.num_hidden_layers + 2 * above) * _attention(config, lengths)


def _weights(config: "LlamaConfig", tokens: int) -> float:
    """Of a layer's products with its weights."""
    assert config.num_key_value_heads is not None
    kept = config.num_key_value_heads / config.num_attention_heads
    return 2 * tokens * config.hidden_size**2 * (2 + 2 * kept) + 3 * _projection(config, tokens)


def _projection(config: "LlamaConfig", tokens: int) -> float:
    return 2 * tokens * config.hidden_size * config.intermediate_size


def _attention(config: "LlamaConfig", lengths: Sequence[int]) -> float:
    """Of a layer's queries by keys and weights by values, each token's with what lies before it."""
    return 2 * config.hidden_size * sum(length**2 for length in lengths)

"""FLOPs that a training step needs, to set a measured speed against the machine's peak."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slam_ray.models.packing import TokenizedText, target_tokens

if TYPE_CHECKING:
    from transformers import LlamaConfig


def training_flops(config: "LlamaConfig", texts: Sequence[TokenizedText], layers: range) -> tuple[float, float]:
    """FLOPs that a step needs if these layers' up and down are tuned: in products with weights, and in attention.

    All layers are computed forward, and backward those above the first tuned one, of which only what its up is behind.
    Recomputing and padding count for nothing, so that shares of the peak can be compared.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    assert config.num_key_value_heads is not None
    kept = config.num_key_value_heads / config.num_attention_heads
    lengths = [len(text.tokens) for text in texts]
    tokens = sum(lengths)
    projection = 2 * tokens * hidden * inner
    layer = 2 * tokens * hidden * hidden * (2 + 2 * kept) + 3 * projection
    attention = 2 * hidden * sum(length**2 for length in lengths)  # queries by keys, and weights by values, causal
    head = 2 * target_tokens(texts) * hidden * config.vocab_size
    above = config.num_hidden_layers - layers[0] - 1
    gradients = above * layer + projection + 2 * len(layers) * projection + head
    return config.num_hidden_layers * layer + head + gradients, (config.num_hidden_layers + 2 * above) * attention

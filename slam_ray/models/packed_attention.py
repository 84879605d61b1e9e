"""Attention in a packed row: each text attends to itself alone, so no mask over the whole row is ever made.

transformers calls `attention` in every layer of a model that was loaded with `attn_implementation=PACKED`.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

PACKED = "slam_ray_packed"
KERNEL_DTYPES = (torch.bfloat16, torch.float16)  # of the variable-length kernel
KERNEL_HEAD = 256  # its largest head


@dataclass
class Texts:
    """Where the texts of a packed row lie.

    Attributes:
        lengths: of the texts, in tokens.
        boundaries: [texts + 1] int32 on the model's device: where each text begins, and the end of the last.
        attended: layers whose attention kept to these texts in the present forward pass.
    """

    lengths: tuple[int, ...]
    boundaries: torch.Tensor
    attended: int = 0


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    texts: Texts | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention inside each text, as a function of transformers' attention interface.

    Args:
        module: the layer's attention.
        query: [rows, heads, tokens, head size]; key and value may have fewer heads.
        key: see `query`.
        value: see `query`.
        attention_mask: None, which `_no_mask` makes of it.
        scaling: of the products of queries and keys.
        dropout: 0.
        sliding_window: tokens that a token sees, itself included; None for all before it.
        softcap: c of c tanh(product / c), which bounds the products.
        texts: of the one row; None if each row is one text.

    Returns:
        [rows, tokens, heads, head size], and no attention weights.
    """
    assert attention_mask is None
    assert query.shape[2] == key.shape[2], "whole texts alone are computed, no continuation from a cache"
    assert not dropout, "a model is counted, trained and scored without dropout"
    kernel = query.is_cuda and query.dtype in KERNEL_DTYPES and query.shape[-1] <= KERNEL_HEAD
    packed = texts is not None
    texts = texts or Texts((query.shape[2],), torch.empty(0))
    texts.attended += 1
    if packed and kernel and softcap is None:
        return by_kernel(query, key, value, texts, scaling=scaling, sliding_window=sliding_window), None
    return by_text(query, key, value, texts, scaling=scaling, sliding_window=sliding_window, softcap=softcap), None


def by_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    texts: Texts,
    *,
    scaling: float,
    sliding_window: int | None = None,
) -> torch.Tensor:
    """[1, tokens, heads, head size]: the attention of all texts at once, by a GPU's variable-length kernel."""
    from torch.nn.attention.varlen import varlen_attn

    longest, group = max(texts.lengths), query.shape[1] // key.shape[1]
    attended = varlen_attn(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1).repeat_interleave(group, dim=1),
        value[0].transpose(0, 1).repeat_interleave(group, dim=1),
        texts.boundaries,
        texts.boundaries,
        longest,
        longest,
        scale=scaling,
        window_size=(-1 if sliding_window is None else sliding_window - 1, 0),
    )
    assert isinstance(attended, torch.Tensor)
    return attended[None]


def by_text(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    texts: Texts,
    *,
    scaling: float,
    sliding_window: int | None = None,
    softcap: float | None = None,
) -> torch.Tensor:
    """[rows, tokens, heads, head size]: the attention of one text after the other."""
    # One `split` has one backward pass; slices would each add a gradient of the whole row.
    parts = (states.split(texts.lengths, dim=2) for states in (query, key, value))
    attended = [
        _one_text(*text, scaling=scaling, sliding_window=sliding_window, softcap=softcap).transpose(1, 2)
        for text in zip(*parts, strict=True)
    ]
    return torch.cat(attended, dim=1)


def _one_text(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    scaling: float,
    sliding_window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    """[rows, heads, tokens, head size]: the attention of one text."""
    tokens = query.shape[2]
    beyond = sliding_window is not None and tokens > sliding_window
    if softcap is None and not beyond:
        return scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling, enable_gqa=key.shape[1] < query.shape[1]
        )
    visible = torch.ones(tokens, tokens, dtype=torch.bool, device=query.device).tril()
    if sliding_window is not None and beyond:
        visible = visible.triu(1 - sliding_window)
    group = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(group, dim=1), value.repeat_interleave(group, dim=1)
    if softcap is None:
        return scaled_dot_product_attention(query, key, value, attn_mask=visible, scale=scaling)
    # As transformers' eager attention does it, which no kernel replaces.
    products = torch.tanh(query @ key.transpose(2, 3) * scaling / softcap) * softcap
    weights = products.masked_fill(~visible, -torch.inf).softmax(dim=-1, dtype=torch.float32)
    return weights.to(query.dtype) @ value


def _no_mask(*_: Any, attention_mask: torch.Tensor | None = None, **__: Any) -> None:
    """What transformers hands to `attention` as the mask of a layer."""
    assert attention_mask is None or bool(attention_mask.all()), "a packed row has no padding"


AttentionInterface.register(PACKED, attention)
AttentionMaskInterface.register(PACKED, _no_mask)

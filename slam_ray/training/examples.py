"""A translation pair as the tokens a model is trained on (Table 7): loss on the English side and its end only."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from slam_ray.config import InputError, PromptsConfig
from slam_ray.corpora.prompts import translation_prompt
from slam_ray.corpora.records import Pair
from slam_ray.training.batches import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 1000  # pairs at a time: where each token lies takes far more room than the token


def tokenize(
    tokenizer: "PreTrainedTokenizerBase", prompts: PromptsConfig, pairs: Sequence[Pair], max_length: int
) -> list[Example]:
    """Each pair that has at most `max_length` tokens: prompt, a space, the English side, end of sequence.

    The tokenizer puts its beginning of sequence in front, if it has one. A longer pair is left out, never cut.

    Raises:
        InputError: the tokenizer has no end of sequence, or no pair is short enough.
    """
    end = tokenizer.eos_token_id
    if end is None:
        raise InputError("the model's tokenizer has no end-of-sequence token; name one in its tokenizer_config.json")
    examples = []
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        prefixes = [translation_prompt(prompts, pair.language, pair.source) for pair in chunk]
        texts = [f"{prefix} {pair.english}" for prefix, pair in zip(prefixes, chunk, strict=True)]
        encoded = tokenizer(texts, return_offsets_mapping=True)
        tokenized = zip(chunk, prefixes, encoded["input_ids"], encoded["offset_mapping"], strict=True)
        for pair, prefix, tokens, spans in tokenized:
            if len(tokens) < max_length:
                # By what tokens cover: the prompt alone may be cut into other tokens than inside the whole.
                prompt = sum(last <= len(prefix) for _, last in spans)
                name = f"{pair.id!r} ({pair.language}, {pair.kind})"
                examples.append(Example(np.array([*tokens, end], np.int32), prompt, name))
    if not examples:
        raise InputError(f"no translation pair has at most {max_length} tokens; raise training.max_length")
    return examples

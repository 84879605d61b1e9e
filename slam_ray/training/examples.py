"""A translation pair as the tokens a model is trained on (Table 7): loss on the English side and its end only."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slam_ray.config import InputError, PromptsConfig
from slam_ray.corpora.prompts import translation_prompt
from slam_ray.corpora.records import Pair
from slam_ray.training.batches import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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
    prefixes = [translation_prompt(prompts, pair.language, pair.source) for pair in pairs]
    texts = [f"{prefix} {pair.english}" for prefix, pair in zip(prefixes, pairs, strict=True)]
    encoded = tokenizer(texts, return_offsets_mapping=True)
    examples = []
    for prefix, tokens, spans in zip(prefixes, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        # Tokens are told apart by what they cover: the prompt alone may be cut into other tokens than inside the whole.
        prompt = sum(last <= len(prefix) for _, last in spans)
        if len(tokens) < max_length:
            examples.append(Example((*tokens, end), prompt))
    if not examples:
        raise InputError(f"no translation pair has at most {max_length} tokens; raise training.max_length")
    return examples

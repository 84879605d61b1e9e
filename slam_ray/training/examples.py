"""A translation pair as the tokens a model is trained on (Table 7): loss on the English side and its end only."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from slam_ray.config import InputError, PromptsConfig
from slam_ray.corpora.languages import KNOWN, Languages
from slam_ray.corpora.prompts import translation_prompt
from slam_ray.corpora.records import Pair
from slam_ray.corpora.tokens import check_unmarked, marks_of, tokens_of
from slam_ray.training.batches import TokenizedExample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenize(
    tokenizer: "PreTrainedTokenizerBase",
    prompts: PromptsConfig,
    pairs: Sequence[Pair],
    max_length: int,
    languages: Languages = KNOWN,
) -> list[TokenizedExample]:
    """Each pair as tokens: prompt, a space, the English side, end of sequence; of longer pairs than `max_length`, none.

    The beginning of sequence is in front, if the model has one. No pair is ever cut.

    Raises:
        InputError: the tokenizer has no end of sequence, a pair spells one, or no pair is short enough.
    """
    end = tokenizer.eos_token_id
    if end is None:
        raise InputError("the model's tokenizer has no end-of-sequence token; name one in its tokenizer_config.json")
    marks = marks_of(tokenizer)
    examples = []
    texts = (f"{_prompt(prompts, pair, languages)} {pair.english}" for pair in pairs)
    for pair, tokens in zip(pairs, tokens_of(tokenizer, texts), strict=True):
        name = f"{pair.id!r} ({pair.language}, {pair.kind})"
        check_unmarked(marks, f"{pair.source}\n{pair.english}", f"the pair {name}")
        if len(tokens.ids) < max_length:
            # Counted by the characters that tokens cover: the prompt alone may be cut into other tokens.
            prompt = len(_prompt(prompts, pair, languages))
            without_loss = sum(last <= prompt for _, last in tokens.spans)
            examples.append(TokenizedExample(np.array([*tokens.ids, end], np.int32), without_loss, name))
    if not examples:
        raise InputError(f"no translation pair has at most {max_length} tokens; raise training.max_length")
    return examples


def _prompt(prompts: PromptsConfig, pair: Pair, languages: Languages) -> str:
    return translation_prompt(prompts, pair.language, pair.source, languages)

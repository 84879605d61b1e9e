"""A translation pair as the tokens a model is trained on (Table 7): loss on the English side and its end only."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from slam_ray.config import InputError, PromptsConfig
from slam_ray.corpora.languages import KNOWN, Languages
from slam_ray.corpora.prompts import translation_prompt
from slam_ray.corpora.records import Pair
from slam_ray.corpora.tokens import check_unmarked, marks_of, tokens_of
from slam_ray.models.packing import TokenizedText
from slam_ray.store.location import Location

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenize(
    tokenizer: "PreTrainedTokenizerBase",
    prompts: PromptsConfig,
    pairs: Sequence[Pair],
    max_length: int,
    languages: Languages = KNOWN,
) -> list[TokenizedText]:
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
            examples.append(TokenizedText(np.array([*tokens.ids, end], np.int32), without_loss, name))
    if not examples:
        raise InputError(f"no translation pair has at most {max_length} tokens; raise training.max_length")
    return examples


def _prompt(prompts: PromptsConfig, pair: Pair, languages: Languages) -> str:
    return translation_prompt(prompts, pair.language, pair.source, languages)


def write_examples(file: Location, examples: Sequence[TokenizedText]) -> None:
    """Write examples into a file that every worker can read."""
    np.savez(
        stream := io.BytesIO(),
        tokens=np.concatenate([example.tokens for example in examples]),
        lengths=np.array([len(example.tokens) for example in examples]),
        prompts=np.array([example.prompt for example in examples]),
        names=np.array([example.name for example in examples]),
    )
    file.write_bytes(stream.getvalue())


def read_examples(file: Location) -> list[TokenizedText]:
    """The examples that `write_examples` wrote."""
    with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
        tokens = np.split(arrays["tokens"], np.cumsum(arrays["lengths"])[:-1])
        return [
            TokenizedText(*example)
            for example in zip(tokens, arrays["prompts"].tolist(), arrays["names"].tolist(), strict=True)
        ]

"""Texts as tokens, the same wherever a model reads them: one beginning of sequence if it has one, and no end.

A tokenizer's post-processor may also put an end behind every text, which a model would not continue; and a chat
template may write a beginning itself. So the text alone is encoded, and a beginning is added where it has none.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from slam_ray.config import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 1000  # texts at a time: the positions of tokens take far more memory than the tokens


@dataclass(frozen=True)
class Tokens:
    """A text as a model is given it.

    Attributes:
        ids: of all tokens.
        spans: the first and one past the last character of the text that each covers; (0, 0) for what is put in front.
        begins: one past the index of the beginning of sequence; 0 if there is none.
    """

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    begins: int


def tokens_of(tokenizer: "PreTrainedTokenizerBase", texts: Iterable[str]) -> Iterator[Tokens]:
    """Each text behind the beginning of sequence, unless the text itself has one, wherever that stands."""
    beginning = beginning_of(tokenizer)
    mark = beginning[-1] if beginning else tokenizer.bos_token_id
    rest = iter(texts)
    while chunk := list(islice(rest, CHUNK)):
        batch: Any = tokenizer(chunk, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        for ids, spans in zip(batch["input_ids"], batch["offset_mapping"], strict=True):
            # A token that is both beginning and end ends something where it stands inside a text.
            candidates = ids[:1] if mark == tokenizer.eos_token_id else ids
            if mark in candidates:
                yield Tokens(tuple(ids), tuple(spans), candidates.index(mark) + 1)
            else:
                yield Tokens((*beginning, *ids), ((0, 0),) * len(beginning) + tuple(spans), len(beginning))


def beginning_of(tokenizer: "PreTrainedTokenizerBase") -> tuple[int, ...]:
    """The tokens that this tokenizer puts in front of every text: mostly one or none."""
    text: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer("a")["input_ids"]
    assert text, "every vocabulary has a Latin letter"
    starts = range(len(whole) - len(text) + 1)
    return tuple(whole[: next(start for start in starts if whole[start : start + len(text)] == text)])


def marks_of(tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    """How this tokenizer spells the beginning and the end of a sequence."""
    ids = {*beginning_of(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id} - {None}
    return sorted(map(str, tokenizer.convert_ids_to_tokens(list(ids))))


def check_unmarked(marks: Sequence[str], text: str, name: str) -> None:
    """Raise InputError if a text of the user's spells one of the `marks`, as which it would be read."""
    for mark in marks:
        if mark in text:
            raise InputError(
                f"{name} holds {mark!r}, which the model's tokenizer reads as the beginning or end of a sequence;"
                " take that out of the text, or leave the text out"
            )

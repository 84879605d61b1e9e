"""The paper's prompts filled in (Tables 7 to 9), as texts and as tokens, for counting and evaluation alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slam_ray.config import InputError, PromptsConfig, SourceConfig, Sources
from slam_ray.corpora.formats import FORMATS
from slam_ray.corpora.languages import language_name

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SLOT = "{query}"
# Some chat templates write today's date; responses of one run are not to depend on the day.
DATE = "26 Jul 2024"


@dataclass(frozen=True)
class Asked:
    """A question inside its prompt.

    Attributes:
        text: the whole prompt.
        tokens: its token ids, with one beginning of sequence if the model has one.
        start: index of the first token of the question.
        end: one past the index of its last token; `start` if it has none.
    """

    text: str
    tokens: tuple[int, ...]
    start: int
    end: int


def prompts_for(prompts: PromptsConfig, sources: Sources | None) -> PromptsConfig:
    """The prompts with the one for choices (Table 9) as `reasoning` where the sources' format gives choices."""
    each = sources if isinstance(sources, tuple) else (sources,)
    choices = any(isinstance(source, SourceConfig) and FORMATS[source.format].choices for source in each)
    return prompts.model_copy(update={"reasoning": prompts.choice}) if choices else prompts


def ask(prompts: PromptsConfig, questions: Sequence[str], tokenizer: "PreTrainedTokenizerBase") -> list[Asked]:
    """Each question inside the reasoning prompt, in the model's chat template if that is configured.

    Raises:
        InputError: the chat template does not show the user's message once, as it is.
    """
    before, after = _around(prompts, tokenizer)
    texts = [f"{before}{question}{after.replace(SLOT, question)}" for question in questions]
    # A chat template writes the beginning of sequence itself, or leaves it to the tokenizer.
    written = tokenizer.bos_token is not None and before.startswith(str(tokenizer.bos_token))
    batch: Any = tokenizer(texts, add_special_tokens=not written, return_offsets_mapping=True)
    return [
        Asked(text, tuple(tokens), *_span(offsets, len(before), len(before) + len(question)))
        for text, question, tokens, offsets in zip(
            texts, questions, batch["input_ids"], batch["offset_mapping"], strict=True
        )
    ]


def reasoning_prompt(prompts: PromptsConfig, question: str) -> str:
    """The text a model is asked to continue with its reasoning (Table 8), without a chat template."""
    return prompts.reasoning.replace(SLOT, question)


def translation_prompt(prompts: PromptsConfig, language: str, source: str) -> str:
    """The text before the English side of a pair (Table 7); the English side follows after a space."""
    return prompts.translation.replace("{language}", language_name(language)).replace("{source}", source)


def _around(prompts: PromptsConfig, tokenizer: "PreTrainedTokenizerBase") -> tuple[str, str]:
    """What stands before and after a question."""
    text: Any = prompts.reasoning
    if prompts.chat:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompts.reasoning}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=prompts.thinking,
            date_string=DATE,
        )
        if text.count(SLOT) != prompts.reasoning.count(SLOT):
            raise InputError(f"prompts.chat: the model's chat template does not show the message as it is: {text!r}")
    before, _, after = text.partition(SLOT)
    return before, after


def _span(offsets: Sequence[tuple[int, int]], first: int, last: int) -> tuple[int, int]:
    """The tokens that hold characters `first` to `last`; white space within may have no token of its own."""
    own = [place for place, (start, end) in enumerate(offsets) if max(start, first) < min(end, last)]
    return (own[0], own[-1] + 1) if own else (0, 0)

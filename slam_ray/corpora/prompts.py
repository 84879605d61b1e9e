"""The paper's prompts filled in (Tables 7 to 9), as texts and as tokens, for counting and evaluation alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from slam_ray.config import InputError, PromptsConfig, SourceConfig, Sources
from slam_ray.corpora.formats import FORMATS
from slam_ray.corpora.languages import KNOWN, Languages
from slam_ray.corpora.tokens import check_unmarked, marks_of, tokens_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SLOT = "{query}"
# Some chat templates write today's date; responses of one run are not to depend on the day.
DATE = datetime(2024, 7, 26)


@dataclass(frozen=True)
class FilledPrompt:
    """A question inside its prompt.

    Attributes:
        text: the whole prompt.
        tokens: its token ids, with one beginning of sequence if the model has one.
        begins: one past the index of the beginning of sequence; 0 if there is none.
        start: index of the first token of the question.
        end: one past the index of its last token; `start` if it has none.
    """

    text: str
    tokens: tuple[int, ...]
    begins: int
    start: int
    end: int


def prompts_for(prompts: PromptsConfig, sources: Sources | None) -> PromptsConfig:
    """The prompts with the one for choices (Table 9) as `reasoning` where the sources' format gives choices."""
    each = sources if isinstance(sources, tuple) else (sources,)
    choices = any(isinstance(source, SourceConfig) and FORMATS[source.format].multiple_choice for source in each)
    return prompts.model_copy(update={"reasoning": prompts.choice}) if choices else prompts


def ask(prompts: PromptsConfig, questions: Sequence[str], tokenizer: "PreTrainedTokenizerBase") -> list[FilledPrompt]:
    """Each question inside the reasoning prompt, in the model's chat template if that is configured.

    Raises:
        InputError: the chat template cannot be used, or does not show the user's message once, as it is; a question
            spells the beginning or end of a sequence.
    """
    before, after = _around(prompts, tokenizer)
    marks = marks_of(tokenizer)
    for question in questions:
        check_unmarked(marks, question, f"the question {question!r}")
    texts = [f"{before}{question}{after.replace(SLOT, question)}" for question in questions]
    return [
        FilledPrompt(text, tokens.ids, tokens.begins, *_span(tokens.spans, len(before), len(before) + len(question)))
        for text, question, tokens in zip(texts, questions, tokens_of(tokenizer, texts), strict=True)
    ]


def reasoning_prompt(prompts: PromptsConfig, question: str) -> str:
    """The text a model is asked to continue with its reasoning (Table 8), without a chat template."""
    return prompts.reasoning.replace(SLOT, question)


def translation_prompt(prompts: PromptsConfig, language: str, source: str, languages: Languages = KNOWN) -> str:
    """The text before the English side of a pair (Table 7); the English side follows after a space."""
    return prompts.translation.replace("{language}", languages[language].name).replace("{source}", source)


def _around(prompts: PromptsConfig, tokenizer: "PreTrainedTokenizerBase") -> tuple[str, str]:
    """What stands before and after a question."""
    text = prompts.reasoning
    if prompts.chat:
        text = _chat(prompts, tokenizer)
        if text.count(SLOT) != prompts.reasoning.count(SLOT):
            raise InputError(f"prompts.chat: the model's chat template does not show the message as it is: {text!r}")
    before, _, after = text.partition(SLOT)
    return before, after


def _chat(prompts: PromptsConfig, tokenizer: "PreTrainedTokenizerBase") -> str:
    """The reasoning prompt as a user's message in the model's chat template."""
    try:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompts.reasoning}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=prompts.thinking,
            date_string=DATE.strftime("%d %b %Y"),
            strftime_now=DATE.strftime,
        )
    except Exception as error:  # the template is a program, which may fail in any way
        said = str(error) or type(error).__name__
        raise InputError(f"prompts.chat: the model's chat template cannot be used: {said}") from None
    assert isinstance(text, str)
    return text


def _span(offsets: Sequence[tuple[int, int]], first: int, last: int) -> tuple[int, int]:
    """The tokens that hold characters `first` to `last`; white space among them may have no token."""
    inside = [token for token, (start, end) in enumerate(offsets) if max(start, first) < min(end, last)]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)

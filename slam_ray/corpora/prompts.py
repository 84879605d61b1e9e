"""The paper's prompts filled in, and where the question lies inside one (Tables 7 and 8)."""

from slam_ray.config import PromptsConfig
from slam_ray.corpora.languages import language_name


def reasoning_prompt(prompts: PromptsConfig, question: str) -> str:
    """The text a model is asked to continue with its reasoning (Table 8)."""
    return prompts.reasoning.replace("{query}", question)


def question_span(prompts: PromptsConfig, question: str) -> tuple[int, int]:
    """First and one past the last character of the question inside its reasoning prompt."""
    start = prompts.reasoning.index("{query}")
    return start, start + len(question)


def translation_prompt(prompts: PromptsConfig, language: str, source: str) -> str:
    """The text before the English side of a pair (Table 7); the English side follows after a space."""
    return prompts.translation.replace("{language}", language_name(language)).replace("{source}", source)

"""How does a problem read in each language? Questions, solutions, and the words of the unspaced scripts."""

import re

from slam_ray.demo.grammar.bengali import BENGALI
from slam_ray.demo.grammar.form import BORDER, Grammar
from slam_ray.demo.grammar.russian import RUSSIAN
from slam_ray.demo.grammar.swahili import SWAHILI
from slam_ray.demo.grammar.unspaced import CHINESE, JAPANESE, THAI
from slam_ray.demo.grammar.western import ENGLISH, FRENCH, GERMAN, SPANISH
from slam_ray.demo.problems import WordProblem

GRAMMARS: dict[str, Grammar] = {
    "bn": BENGALI, "th": THAI, "sw": SWAHILI, "ja": JAPANESE, "zh": CHINESE,
    "de": GERMAN, "fr": FRENCH, "ru": RUSSIAN, "es": SPANISH, "en": ENGLISH,
}  # fmt: skip
UNSPACED = ("th", "ja", "zh")
_NO_WORD = re.compile(r"[|\s\d.:?+*/=、。：？-]+")


def question(problem: WordProblem, language: str) -> str:
    """The problem as a question in the language."""
    return GRAMMARS[language].question(problem).replace(BORDER, "")


def solution(problem: WordProblem, language: str) -> str:
    """The problem's chain of thought in the language, ending in the answer."""
    return GRAMMARS[language].solution(problem).replace(BORDER, "")


def marked_words(problem: WordProblem, language: str) -> list[str]:
    """The words of the problem's question and solution in an unspaced script, as the grammar marks them."""
    grammar = GRAMMARS[language]
    return [word for word in _NO_WORD.split(grammar.question(problem) + BORDER + grammar.solution(problem)) if word]


__all__ = ["GRAMMARS", "UNSPACED", "marked_words", "question", "solution"]

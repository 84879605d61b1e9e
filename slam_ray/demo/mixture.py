"""What the base is shown: kinds of examples, how they are mixed, and how often each language turns up.

Everything is drawn from training problems, so no dev or test problem is ever seen, in any language.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slam_ray.config import ENGLISH, PromptsConfig
from slam_ray.corpora.prompts import reasoning_prompt, translation_prompt
from slam_ray.demo.grammar import GRAMMARS, question, solution
from slam_ray.demo.problems import LARGEST, draw

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LITTLE_SEEN = ("bn", "th", "sw")
BETTER_SEEN = ("ja", "zh", "de", "fr", "ru", "es")
ANSWERS = 0.4  # of the translations; the others are questions
BETTER_SEEN_WEIGHT = 2.5
LITTLE_SEEN_TEXT_WEIGHT = 1.0
SUMS_IN_A_DRILL = 10


@dataclass(frozen=True)
class Mixture:
    """Shares of the kinds of sequences, and weights of the languages among them.

    Attributes:
        reasoning: English question -> English solution.
        drills: bare sums.
        text: a question as plain text, in any of the nine other languages.
        english_text: the same in English.
        translation: X -> English.
        foreign_reasoning: a question in a better-seen language -> English solution.
        little_seen_translation: weight of bn, th, sw each among the translations, beside BETTER_SEEN_WEIGHT for each
            better-seen language.
    """

    reasoning: float
    drills: float
    text: float
    translation: float
    foreign_reasoning: float
    english_text: float = 0.0
    little_seen_translation: float = 0.0


@dataclass(frozen=True)
class Example:
    """Token ids with BOS in front, and from which of them on the loss is taken."""

    tokens: list[int]
    target: int


def examples(mixture: Mixture, tokenizer: "PreTrainedTokenizerBase", random_: random.Random) -> Iterator[Example]:
    """Random examples of the mixture without end. Prompts carry no loss, plain text carries it throughout."""
    kinds = {
        "reasoning": mixture.reasoning,
        "drills": mixture.drills,
        "text": mixture.text,
        "english_text": mixture.english_text,
        "translation": mixture.translation,
        "foreign_reasoning": mixture.foreign_reasoning,
    }
    while True:
        kind = random_.choices(list(kinds), list(kinds.values()))[0]
        if kind == "reasoning":
            prompt, target = _reasoning(ENGLISH, random_)
        elif kind == "foreign_reasoning":
            prompt, target = _reasoning(random_.choice(BETTER_SEEN), random_)
        elif kind == "translation":
            prompt, target = _translation(_language(mixture.little_seen_translation, random_), random_)
        elif kind == "drills":
            prompt, target = "", " ".join(_sum(random_) for _ in range(SUMS_IN_A_DRILL))
        else:
            language = ENGLISH if kind == "english_text" else _language(LITTLE_SEEN_TEXT_WEIGHT, random_)
            prompt, target = "", question(draw(random_, "train"), language)
        yield encoded(tokenizer, prompt, target)


def encoded(tokenizer: "PreTrainedTokenizerBase", prompt: str, target: str) -> Example:
    """Prompt, a space if there is one, target, EOS."""
    before = tokenizer(prompt).input_ids
    after = tokenizer(f" {target}" if prompt else target, add_special_tokens=False).input_ids
    return Example([*before, *after, tokenizer.eos_token_id], len(before))


def _reasoning(language: str, random_: random.Random) -> tuple[str, str]:
    problem = draw(random_, "train")
    return reasoning_prompt(PromptsConfig(), question(problem, language)), solution(problem, ENGLISH)


def _translation(language: str, random_: random.Random) -> tuple[str, str]:
    problem = draw(random_, "train")
    text = solution if random_.random() < ANSWERS else question
    return translation_prompt(PromptsConfig(), language, text(problem, language)), text(problem, ENGLISH)


def _language(little_seen_weight: float, random_: random.Random) -> str:
    weights = dict.fromkeys(BETTER_SEEN, BETTER_SEEN_WEIGHT) | dict.fromkeys(LITTLE_SEEN, little_seen_weight)
    assert weights.keys() | {ENGLISH} == GRAMMARS.keys()
    return random_.choices(list(weights), list(weights.values()))[0]


def _sum(random_: random.Random) -> str:
    """One sum with a result from 2 to LARGEST."""
    operator = random_.choices("+-*/", (4, 4, 1, 1))[0]
    if operator in "*/":
        left, right = random_.randint(2, 9), random_.randint(2, 6)
        return f"{left}*{right}={left * right}." if operator == "*" else f"{left * right}/{right}={left}."
    high, low = random_.randint(4, LARGEST), random_.randint(2, 30)
    if high - low < 2:
        return _sum(random_)
    return f"{high - low}+{low}={high}." if operator == "+" else f"{high}-{low}={high - low}."

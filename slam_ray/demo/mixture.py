"""What the base model is trained on: kinds of texts, their shares, and how often each language occurs.

Everything is drawn from training problems, so no dev or test problem is among it, in any language.
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

LOW_RESOURCE = ("bn", "th", "sw")
HIGH_RESOURCE = ("ja", "zh", "de", "fr", "ru", "es")
ANSWERS = 0.4  # of the translations; the others are questions
HIGH_RESOURCE_WEIGHT = 2.5
LOW_RESOURCE_TEXT_WEIGHT = 1.0
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
        foreign_reasoning: a question in a high-resource language -> English solution.
        low_resource_translation: weight of bn, th, sw each among the translations, beside HIGH_RESOURCE_WEIGHT for each
            high-resource language.
    """

    reasoning: float
    drills: float
    text: float
    translation: float
    foreign_reasoning: float
    english_text: float = 0.0
    low_resource_translation: float = 0.0


@dataclass(frozen=True)
class TrainingText:
    """Token ids with BOS in front, and from which of them on the loss is taken."""

    tokens: list[int]
    target: int


def training_texts(
    mixture: Mixture, tokenizer: "PreTrainedTokenizerBase", random_: random.Random
) -> Iterator[TrainingText]:
    """Random texts of the mixture without end. Prompts carry no loss, plain text carries it throughout."""
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
            prompt, target = _reasoning(random_.choice(HIGH_RESOURCE), random_)
        elif kind == "translation":
            prompt, target = _translation(_language(mixture.low_resource_translation, random_), random_)
        elif kind == "drills":
            prompt, target = "", " ".join(_sum(random_) for _ in range(SUMS_IN_A_DRILL))
        else:
            language = ENGLISH if kind == "english_text" else _language(LOW_RESOURCE_TEXT_WEIGHT, random_)
            prompt, target = "", question(draw(random_, "train"), language)
        yield encoded(tokenizer, prompt, target)


def encoded(tokenizer: "PreTrainedTokenizerBase", prompt: str, target: str) -> TrainingText:
    """Prompt, a space if there is one, target, EOS."""
    before = tokenizer(prompt).input_ids
    after = tokenizer(f" {target}" if prompt else target, add_special_tokens=False).input_ids
    return TrainingText([*before, *after, tokenizer.eos_token_id], len(before))


def _reasoning(language: str, random_: random.Random) -> tuple[str, str]:
    problem = draw(random_, "train")
    return reasoning_prompt(PromptsConfig(), question(problem, language)), solution(problem, ENGLISH)


def _translation(language: str, random_: random.Random) -> tuple[str, str]:
    problem = draw(random_, "train")
    text = solution if random_.random() < ANSWERS else question
    return translation_prompt(PromptsConfig(), language, text(problem, language)), text(problem, ENGLISH)


def _language(low_resource_weight: float, random_: random.Random) -> str:
    weights = dict.fromkeys(HIGH_RESOURCE, HIGH_RESOURCE_WEIGHT) | dict.fromkeys(LOW_RESOURCE, low_resource_weight)
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

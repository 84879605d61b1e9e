"""The language a response is written in: a model may answer a Bengali question in English."""

import re
from copy import copy
from functools import cache
from typing import TYPE_CHECKING

from slam_ray.corpora.iso639 import same
from slam_ray.corpora.languages import LANGUAGES

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNCLEAR = "unclear"
# Below these there are only figures, units and names, or several languages are likely.
LEAST_LETTERS = 3
LEAST_PROBABILITY = 0.5
# From here on two words are hardly ever taken for another language.
SURE_PROBABILITY = 0.8
_NO_LETTERS = re.compile(r"\\[a-z]+|[\W\d_]+")


def written_in(response: str, asked: str, least_probability: float = LEAST_PROBABILITY) -> str:
    """ISO code of the language of a response, thoughts left out, or `UNCLEAR`.

    It is one of those that the project knows, or the one `asked` in. Where the identifier does not know that one, it
    chooses among all languages that it does, so that a response in it is not taken for one of the project's.
    """
    text = _NO_LETTERS.sub(" ", response.rpartition("</think>")[2])
    if len(text.replace(" ", "")) < LEAST_LETTERS:
        return UNCLEAR
    code, probability = _identifier(asked).classify(text)
    found = asked if code in same(asked) else str(code)
    return found if probability >= least_probability and found in {*LANGUAGES, asked} else UNCLEAR


def is_recognised(language: str) -> bool:
    """Whether the identifier knows a language; where it does not, a response in it is `UNCLEAR`."""
    return language in LANGUAGES or not set(same(language)).isdisjoint(_model().labels)


@cache
def _identifier(asked: str) -> "LanguageIdentifier":
    identifier = copy(_model())
    if is_recognised(asked):
        identifier.set_languages({*LANGUAGES, *same(asked)} & set(identifier.labels))
    return identifier


@cache
def _model() -> "LanguageIdentifier":
    from py3langid import langid

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)

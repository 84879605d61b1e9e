"""The language that a response is written in: a model may answer a Bengali question in English."""

import re
from copy import copy
from functools import cache
from typing import TYPE_CHECKING

from slam_ray.corpora.iso639 import codes_of
from slam_ray.corpora.languages import LANGUAGES

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNCLEAR = "unclear"
# With fewer letters there are only figures, units and names; with less probability several languages are likely.
LEAST_LETTERS = 3
LEAST_PROBABILITY = 0.5
# With so much probability even a text of two words is hardly ever taken for another language.
SURE_PROBABILITY = 0.8
_NO_LETTERS = re.compile(r"\\[a-z]+|[\W\d_]+")


def response_language(response: str, question_language: str, least_probability: float = LEAST_PROBABILITY) -> str:
    """ISO code of the language of a response, without the thoughts before its `</think>`, or `UNCLEAR`.

    The language is one that the project knows, or `question_language`. Where the identifier does not know the latter,
    it chooses among all its languages, so that a response in it is not taken for one of the project's.
    """
    text = _NO_LETTERS.sub(" ", response.rpartition("</think>")[2])
    if len(text.replace(" ", "")) < LEAST_LETTERS:
        return UNCLEAR
    code, probability = _identifier(question_language).classify(text)
    language = question_language if code in codes_of(question_language) else str(code)
    return language if probability >= least_probability and language in {*LANGUAGES, question_language} else UNCLEAR


def is_recognised(language: str) -> bool:
    """Whether the identifier knows a language; a response in another one is `UNCLEAR`."""
    return language in LANGUAGES or not set(codes_of(language)).isdisjoint(_model().labels)


@cache
def _identifier(question_language: str) -> "LanguageIdentifier":
    identifier = copy(_model())
    if is_recognised(question_language):
        identifier.set_languages({*LANGUAGES, *codes_of(question_language)} & set(identifier.labels))
    return identifier


@cache
def _model() -> "LanguageIdentifier":
    from py3langid import langid

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)

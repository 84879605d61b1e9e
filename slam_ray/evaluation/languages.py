"""The language a response is written in: a model may answer a Bengali question in English."""

import re
from functools import cache
from typing import TYPE_CHECKING

from slam_ray.corpora.languages import LANGUAGES

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNCLEAR = "unclear"
# Below these there are only figures, units and names, or several languages are likely.
LEAST_LETTERS = 3
LEAST_PROBABILITY = 0.5
_NO_LETTERS = re.compile(r"\\[a-z]+|[\W\d_]+")


def written_in(response: str) -> str:
    """ISO code of the language of a response, thoughts left out, among the known ones; or `UNCLEAR`."""
    text = _NO_LETTERS.sub(" ", response.rpartition("</think>")[2])
    if len(text.replace(" ", "")) < LEAST_LETTERS:
        return UNCLEAR
    code, probability = _identifier().classify(text)
    return str(code) if probability >= LEAST_PROBABILITY else UNCLEAR


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid import langid

    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier

"""Languages by ISO 639-1 code: the full English names that the paper's prompts use (Table 7), scripts, other codes."""

import re
from typing import NamedTuple

from slam_ray.config import InputError


class Language(NamedTuple):
    """A language.

    Attributes:
        name: in English.
        flores: its code in FLORES-200, which ends in its ISO 15924 script.
        ntrex: its code in NTREX.
        spaced: whether spaces stand between its words.
    """

    name: str
    flores: str
    ntrex: str
    spaced: bool = True

    @property
    def script(self) -> str:
        """ISO 15924 code of the script it is written in, a key of `SCRIPTS`."""
        return self.flores.partition("_")[2]


LANGUAGES = {
    "ar": Language("Arabic", "arb_Arab", "arb"),
    "bn": Language("Bengali", "ben_Beng", "ben"),
    "de": Language("German", "deu_Latn", "deu"),
    "en": Language("English", "eng_Latn", "eng"),
    "es": Language("Spanish", "spa_Latn", "spa"),
    "fr": Language("French", "fra_Latn", "fra"),
    "hi": Language("Hindi", "hin_Deva", "hin"),
    "it": Language("Italian", "ita_Latn", "ita"),
    "ja": Language("Japanese", "jpn_Jpan", "jpn", spaced=False),
    "ko": Language("Korean", "kor_Hang", "kor"),
    "nl": Language("Dutch", "nld_Latn", "nld"),
    "pl": Language("Polish", "pol_Latn", "pol"),
    "pt": Language("Portuguese", "por_Latn", "por"),
    "ru": Language("Russian", "rus_Cyrl", "rus"),
    "sw": Language("Swahili", "swh_Latn", "swa"),
    "te": Language("Telugu", "tel_Telu", "tel"),
    "th": Language("Thai", "tha_Thai", "tha", spaced=False),
    "ur": Language("Urdu", "urd_Arab", "urd"),
    "vi": Language("Vietnamese", "vie_Latn", "vie"),
    "zh": Language("Chinese", "zho_Hans", "zho-CN", spaced=False),
}
NAMES = {code: language.name for code, language in LANGUAGES.items()}

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
SCRIPTS = {
    script: re.compile(f"[{characters}]+")
    for script, characters in {
        "Arab": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufeff",
        "Beng": "\u0980-\u09ff",
        "Cyrl": "\u0400-\u052f",
        "Deva": "\u0900-\u097f",
        "Hang": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
        "Hans": _HAN,
        "Jpan": _HAN + "\u3040-\u30ff\u31f0-\u31ff",
        "Latn": "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff",
        "Telu": "\u0c00-\u0c7f",
        "Thai": "\u0e00-\u0e7f",
    }.items()
}
_LETTERS = re.compile(r"[^\W\d_]+")


def language_name(code: str, where: str = "") -> str:
    """Full English name of a language; InputError for a code that is not known, which `where` holds."""
    if code not in NAMES:
        raise InputError(
            f"{where and f'{where}: '}language {code!r} is not known; known are: {' '.join(sorted(NAMES))}"
        )
    return NAMES[code]


def script_share(code: str, text: str) -> float:
    """The share of a text's letters that are in the language's script, 0 to 1; 1 for a text without letters."""
    script = SCRIPTS[LANGUAGES[code].script]
    inside = sum(map(len, script.findall(text)))
    outside = sum(map(len, _LETTERS.findall(script.sub(" ", text))))
    return inside / (inside + outside) if inside + outside else 1.0

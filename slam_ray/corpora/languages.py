"""Languages by ISO 639 code: the full English names that the paper's prompts use (Table 7), and scripts.

The paper's languages and ten more are known; `corpora.languages` names any other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from slam_ray.config import CorporaConfig, InputError, LanguageConfig, Section, nearest
from slam_ray.corpora.iso639 import codes_of, is_code


@dataclass(frozen=True)
class Language:
    """A language.

    Attributes:
        name: in English.
        script: ISO 15924 code of the script it is written in, a key of `SCRIPTS`; None if that was not said.
        spaced: whether spaces stand between its words.
    """

    name: str
    script: str | None
    spaced: bool = True


LANGUAGES = {
    "ar": Language("Arabic", "Arab"),
    "bn": Language("Bengali", "Beng"),
    "de": Language("German", "Latn"),
    "en": Language("English", "Latn"),
    "es": Language("Spanish", "Latn"),
    "fr": Language("French", "Latn"),
    "hi": Language("Hindi", "Deva"),
    "it": Language("Italian", "Latn"),
    "ja": Language("Japanese", "Jpan", spaced=False),
    "ko": Language("Korean", "Hang"),
    "nl": Language("Dutch", "Latn"),
    "pl": Language("Polish", "Latn"),
    "pt": Language("Portuguese", "Latn"),
    "ru": Language("Russian", "Cyrl"),
    "sw": Language("Swahili", "Latn"),
    "te": Language("Telugu", "Telu"),
    "th": Language("Thai", "Thai", spaced=False),
    "ur": Language("Urdu", "Arab"),
    "vi": Language("Vietnamese", "Latn"),
    "zh": Language("Chinese", "Hans", spaced=False),
}
EXAMPLE = "[en, sw, {code: yo, name: Yoruba}]"  # of corpora.languages, for messages

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHARACTERS = {
    "Arab": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufeff",
    "Armn": "\u0530-\u058f\ufb13-\ufb17",
    "Beng": "\u0980-\u09ff",
    "Cyrl": "\u0400-\u052f",
    "Deva": "\u0900-\u097f",
    "Ethi": "\u1200-\u139f\u2d80-\u2ddf\uab00-\uab2f",
    "Geor": "\u10a0-\u10ff\u1c90-\u1cbf\u2d00-\u2d2f",
    "Grek": "\u0370-\u03ff\u1f00-\u1fff",
    "Gujr": "\u0a80-\u0aff",
    "Guru": "\u0a00-\u0a7f",
    "Hang": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "Hans": _HAN,
    "Hant": _HAN,
    "Hebr": "\u0590-\u05ff\ufb1d-\ufb4f",
    "Jpan": _HAN + "\u3040-\u30ff\u31f0-\u31ff",
    "Khmr": "\u1780-\u17ff",
    "Knda": "\u0c80-\u0cff",
    "Laoo": "\u0e80-\u0eff",
    "Latn": "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff",
    "Mlym": "\u0d00-\u0d7f",
    "Mymr": "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f",
    "Nkoo": "\u07c0-\u07ff",
    "Olck": "\u1c50-\u1c7f",
    "Orya": "\u0b00-\u0b7f",
    "Sinh": "\u0d80-\u0dff",
    "Taml": "\u0b80-\u0bff",
    "Telu": "\u0c00-\u0c7f",
    "Tfng": "\u2d30-\u2d7f",
    "Thaa": "\u0780-\u07bf",
    "Thai": "\u0e00-\u0e7f",
    "Tibt": "\u0f00-\u0fff",
}
SCRIPTS = {script: re.compile(f"[{characters}]+") for script, characters in _CHARACTERS.items()}
_WITH_SCRIPT = re.compile(r"(?P<code>[a-z]{2,3})[_-](?P<script>[A-Z][a-z]{3})")


class Writing(Section):
    """How a language is written, as far as cleaning asks."""

    script: str | None
    spaced: bool


@dataclass(frozen=True)
class Languages:
    """The languages that a run knows.

    Attributes:
        known: by code, in the order in which corpora are read; those that the configuration adds come last.
        added: those.
    """

    known: Mapping[str, Language]
    added: tuple[LanguageConfig, ...] = ()

    @classmethod
    def of(cls, corpora: CorporaConfig) -> "Languages":
        """The languages known to the project, and those that `corpora.languages` adds.

        Raises:
            InputError: a code there is neither known nor added with a name, is no code, or is there already; a script
                or a name cannot be used.
        """
        languages = cls(LANGUAGES)
        for entry in corpora.languages or ():
            if isinstance(entry, LanguageConfig):
                languages = languages._with(entry)
            else:
                languages.check(entry, "corpora.languages")
        return languages

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __getitem__(self, code: str) -> Language:
        return self.known[code]

    @property
    def added_names(self) -> dict[str, str]:
        """Code -> name of those that the configuration adds."""
        return {each.code: each.name for each in self.added}

    @property
    def added_writings(self) -> dict[str, Writing]:
        """Code -> how it is written, of those that the configuration adds."""
        return {each.code: Writing(script=each.script, spaced=each.spaced) for each in self.added}

    def check(self, code: str, where: str) -> None:
        """Raise InputError for a code that is not known, which `where` holds."""
        if code in self.known:
            return
        if (meant := self.code_of(code)) is not None:
            raise InputError(f"{where}: language {code!r} is known as {meant!r}; write that")
        raise InputError(
            f"{where}: language {code!r} is not known; known are: {' '.join(sorted(self.known))}; give any other a name"
            f" in corpora.languages, e.g. {EXAMPLE}"
        )

    def check_code(self, code: str, where: str) -> None:
        """Raise InputError for what is no code of ISO 639, or another code of a language that is known."""
        if code not in self.known and (meant := self.code_of(code)) is not None:
            raise InputError(f"{where}: write {meant!r} for {self.known[meant].name}, not {code!r}")
        if not is_code(code):
            raise InputError(f"{where}: {code!r} is no code of ISO 639, which are two or three small letters")

    def code_of(self, written: str) -> str | None:
        """The code of the language that files and rows name so: by an ISO code, one with a script, or its English name.

        E.g. "sw", "swa", "swh_Latn" or "Swahili"; None for a language that is not known, and for a known one in
        another script.
        """
        found = _WITH_SCRIPT.fullmatch(written)
        codes = codes_of(found["code"] if found else written)
        name = _plain(written)
        for code, language in self.known.items():
            if code in codes:
                return code if found is None or language.script in (None, found["script"]) else None
            if _plain(language.name) == name:
                return code
        return None

    def script_share(self, code: str, text: str) -> float:
        """The share of a text's letters that are in the language's script, 0 to 1.

        It is 1 for a text without letters, and for a language whose script was not said.
        """
        script = self.known[code].script
        if script is None:
            return 1.0
        outside = sum(map(len, _other_letters(script).findall(text)))
        if not outside:  # as in most texts
            return 1.0
        inside = sum(map(len, SCRIPTS[script].findall(text)))
        return inside / (inside + outside)

    def _with(self, entry: LanguageConfig) -> "Languages":
        where = f"corpora.languages: {{code: {entry.code}, name: {entry.name}}}"
        self.check_code(entry.code, where)
        for written in (entry.code, entry.name):
            if (existing := self.code_of(written)) is not None:
                raise InputError(
                    f"{where}: {written!r} is there as {self.known[existing].name} ({existing}); write {existing}"
                )
        if entry.script is not None and entry.script not in SCRIPTS:
            raise InputError(f"{where}: script {entry.script!r}: {nearest(entry.script, SCRIPTS)}; or leave it out")
        language = Language(entry.name, entry.script, entry.spaced)
        return Languages({**self.known, entry.code: language}, (*self.added, entry))


@cache
def _other_letters(script: str) -> re.Pattern[str]:
    return re.compile(rf"[^\W\d_{_CHARACTERS[script]}]+")


def _plain(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").casefold()


KNOWN = Languages(LANGUAGES)

"""Words that multiply the number beside them: 1.5 million, 5 тысяч, 2 लाख, 5만, 3 triệu, elfu 5.

A word is read in the language of the text: a billion is 10^9 in English and 10^12 in German. A word that means the same
in all languages is read in every text. Words that are units as well are missing: m, mil in Polish (miles), cent in
French, miles in Spanish.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from slam_ray.config import ENGLISH

# No letter and no vowel sign may follow.
_WHOLE = r"(?![^\W\d_]|[\u0900-\u0dff\u064b-\u065f])"

# Language -> regular expression of a word -> what it multiplies by. A word is whole, or says itself what may follow.
_WORDS: Mapping[str, Mapping[str, float]] = {
    "ar": {
        "مئة|مائة": 1e2,
        "[أا]لف(?:ًا|اً|ا)?|[آا]لاف": 1e3,
        "مليون(?:ًا|اً|ا)?|ملايين": 1e6,
        "مليار(?:ًا|اً|ا)?|مليارات|بليون": 1e9,
        "تريليون": 1e12,
    },
    "bn": {
        "শত|শো": 1e2,
        "হাজার(?:টি|টা|ের)?": 1e3,
        "(?:লাখ|লক্ষ)(?:টি|টা|ের)?": 1e5,
        "মিলিয়ন": 1e6,
        "কোটি(?:টি|টা|র)?": 1e7,
        "বিলিয়ন": 1e9,
    },
    "de": {
        "hundert": 1e2,
        "tausend|tsd": 1e3,
        "million(?:en)?|mio": 1e6,
        "milliarden?|mrd": 1e9,
        "billion(?:en)?": 1e12,
    },
    "en": {
        "hundred": 1e2,
        "thousands?": 1e3,
        "lakhs?": 1e5,
        "millions?|mln": 1e6,
        "crores?": 1e7,
        "billions?|bn": 1e9,
        "trillions?": 1e12,
    },
    "es": {"mil": 1e3, "mill[oó]n(?:es)?": 1e6, "millardos?": 1e9, "bill[oó]n(?:es)?": 1e12},
    "fr": {"mille|milliers?": 1e3, "millions?": 1e6, "milliards?": 1e9, "billions?": 1e12},
    "hi": {
        "सौ": 1e2,
        "हज़ार|हजार": 1e3,
        "लाख": 1e5,
        "मिलियन": 1e6,
        "करोड़|करोड": 1e7,
        "अरब|बिलियन": 1e9,
    },
    "it": {"mila|mille|migliaia": 1e3, "milion[ei]|mln": 1e6, "miliard[oi]|mld": 1e9, "bilion[ei]": 1e12},
    # In Japanese and Chinese nothing parts words: what follows tells a kilogram (千克) from a thousand.
    "ja": {
        "十(?=[億亿万萬])": 1e1,
        "百(?![分合貨货])": 1e2,
        "千(?![克米瓦卡层層赫焦帕伏羽])": 1e3,
        "[万萬](?![圣聖])": 1e4,
        "[億亿]": 1e8,
        "兆": 1e12,
    },
    # 만 is ten thousand but in 만큼 (as much as) and 만두 (dumplings), 조 a trillion but in 조각 (pieces) and groups.
    "ko": {
        "십(?=[만억])": 1e1,
        "백(?![분팩점합신조화])": 1e2,
        "천(?![천연장막사체문국재둥])": 1e3,
        "만(?!큼|두|화|점|년필|세|족)": 1e4,
        "억": 1e8,
        "조(?=\\s?(?:\\d|원|달러))": 1e12,
    },
    "nl": {"honderd": 1e2, "duizend": 1e3, "miljoen(?:en)?|mln": 1e6, "miljard(?:en)?|mld": 1e9, "biljoen": 1e12},
    "pl": {
        "tysi[ąa]c(?:e|a|om|ami|ach)?|tysi[ęe]cy|tys": 1e3,
        "milion(?:y|ów|a)?|mln": 1e6,
        "miliard(?:y|ów|a)?|mld": 1e9,
        "bilion(?:y|ów|a)?": 1e12,
    },
    "pt": {
        "mil": 1e3,
        "milh(?:ão|ões|ao|oes)": 1e6,
        "bilh(?:ão|ões|ao|oes)": 1e9,
        "trilh(?:ão|ões|ao|oes)|bili(?:ão|ões)": 1e12,
    },
    "ru": {
        "сот(?:ен|ни)": 1e2,
        "тысяч(?:а|и|у|ам|ами|ах)?|тыс": 1e3,
        "миллион(?:а|ов|ы|ам)?|млн": 1e6,
        "миллиард(?:а|ов|ы|ам)?|млрд": 1e9,
        "триллион(?:а|ов|ы)?|трлн": 1e12,
    },
    "sw": {"mia": 1e2, "elfu": 1e3, "laki": 1e5, "milioni": 1e6, "bilioni": 1e9, "trilioni": 1e12},
    "te": {
        "వంద(?:లు|ల)?": 1e2,
        "వేలు|వేల|వెయ్యి": 1e3,
        "లక్షలు|లక్షల|లక్ష": 1e5,
        "మిలియన్(?:లు|ల)?": 1e6,
        "కోట్లు|కోట్ల|కోటి": 1e7,
        "బిలియన్(?:లు|ల)?": 1e9,
    },
    "th": {
        "สิบ(?=ล้าน)": 1e1,
        "ร้อย(?!ละ)": 1e2,
        "พัน(?!ธ)": 1e3,
        "หมื่น": 1e4,
        "แสน": 1e5,
        "ล้าน": 1e6,
    },
    "ur": {"سو": 1e2, "ہزار": 1e3, "لاکھ": 1e5, "ملین": 1e6, "کروڑ": 1e7, "ارب|بلین": 1e9},
    "vi": {
        "trăm": 1e2,
        "nghìn|ngàn": 1e3,
        "vạn": 1e4,
        "triệu|tr": 1e6,
        "(?:tỷ|tỉ)(?! lệ| số)": 1e9,
    },
}  # fmt: skip
_UNSPACED = frozenset({"ja", "ko", "th"})
# Read only in texts of this language, as they mean something else in others.
_IN_THIS_LANGUAGE_ONLY = {
    "de": ("billion(?:en)?",),
    "es": ("mil",),
    "fr": ("billions?",),
    "it": ("mila|mille|migliaia", "bilion[ei]"),
    "pt": ("mil",),
    "sw": tuple(_WORDS["sw"]),
    "vi": ("triệu|tr",),
}
_BEFORE_THEIR_NUMBER = frozenset({"sw"})  # elfu 5, milioni 1.5


@cache
def words_after(language: str) -> str:
    """Regular expression of the words that may follow a number, in a text of this language."""
    # "watoto 3 elfu 5" is no 3 elfu.
    end = dict.fromkeys(_BEFORE_THEIR_NUMBER, r"\b(?! \d)") | dict.fromkeys(_UNSPACED, "")
    return "|".join(f"(?:{word}){end.get(code, _WHOLE)}" for code, word, _ in _known(language))


@cache
def words_before(language: str) -> str | None:
    """Regular expression of the words that may precede a number in a text of this language; None if none may."""
    return "|".join(_WORDS[language]) if language in _BEFORE_THEIR_NUMBER else None


@cache
def magnitude(word: str, language: str) -> float:
    """The factor of a word that `words_after` or `words_before` matches, in a text of this language."""
    for _, pattern, value in _known(language):
        # Without the lookaheads: the text behind the word is not at hand.
        if re.fullmatch(re.sub(r"\(\?[!=](?:[^()]|\([^()]*\))*\)", "", pattern), word, re.IGNORECASE):
            return value
    raise AssertionError(word)


@cache
def _known(language: str) -> tuple[tuple[str, str, float], ...]:
    """Language, word and value: those of this language first, then English, then those that mean the same anywhere."""
    return tuple(
        (code, unicodedata.normalize("NFC", word), value)
        for code in dict.fromkeys((language, ENGLISH, *_WORDS))
        for word, value in _WORDS.get(code, {}).items()
        if code == language or word not in _IN_THIS_LANGUAGE_ONLY.get(code, ())
    )

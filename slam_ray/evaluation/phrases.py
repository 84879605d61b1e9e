"""How an answer is announced in each language: "The answer is 5", "Ответ — 5", "答えは5です", "উত্তর হল 5"."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from slam_ray.config import ENGLISH


@dataclass(frozen=True)
class Wording:
    """Words of one language.

    Attributes:
        nouns: what the answer is called.
        copulas: what may join it to the number; the number can then stand anywhere in the rest of the sentence.
        filler: characters that may stand between the two ("the answer to the question is").
        words: whether spaces part words, so that nouns and copulas must be whole ones.
    """

    nouns: str
    copulas: str
    filler: int = 40
    words: bool = True


WORDINGS = {
    "ar": Wording("(?:ال)?(?:إجابة|اجابة|جواب)", "هي|هو|تساوي|يساوي"),
    "bn": Wording("উত্তর(?:টি|টা)?", "হলো|হল|হচ্ছে|হবে|হয়", words=False),
    "de": Wording("antwort|lösung|endergebnis", "ist|sind|lautet|beträgt|wäre"),
    "en": Wording("answer", "is|are|equals|would be|will be|should be|must be"),
    "es": Wording("respuesta|resultado final", "es|son|será|sería"),
    "fr": Wording("réponse|résultat final", "est|sont|sera|serait"),
    "hi": Wording("उत्तर|जवाब", "है|होगा|हैं", words=False),
    "it": Wording("risposta|risultato finale", "è|sono|sarà|sarebbe"),
    "ja": Wording("答え|解答|回答|正解", "は|が", filler=0, words=False),
    "ko": Wording("정답|답", "은|는|이", filler=0, words=False),
    "nl": Wording("antwoord", "is|zijn|luidt|bedraagt"),
    "pl": Wording("odpowiedź|odpowiedzią", "to|jest|brzmi|wynosi"),
    "pt": Wording("resposta|resultado final", "é|são|será|seria"),
    "ru": Wording("ответ(?:ом)?", "это|является|равен|будет|составляет"),
    "sw": Wording("jibu", "ni|litakuwa"),
    "te": Wording("సమాధానం|జవాబు", "అంటే|ఏమిటంటే", words=False),
    "th": Wording("คำตอบ|ตอบ", "คือ|เป็น|เท่ากับ", filler=20, words=False),
    "ur": Wording("جواب", "ہے|ہوگا|یہ ہے"),
    "vi": Wording("câu trả lời|đáp án|đáp số", "là|bằng"),
    "zh": Wording("答案|(?<![解回作])答(?=[:,])", "是|为|為|等于|等於|[:,]", filler=4, words=False),
}

# "Step-by-step answer: 5 bagels cost ..." is the head of a solution.
_STEP_BY_STEP = re.compile(
    "step[- ]by[- ]step|schritt[- ]für[- ]schritt|paso a paso|étape par étape|passo (?:a |dopo )?passo|stap voor stap"
    "|krok po kroku|пошагов|шаг за шагом|hatua kwa hatua|từng bước|ধাপে ধাপে|चरण[- ]दर[- ]चरण|దశలవారీ|ทีละขั้น"
    "|ステップごと|ステップバイステップ|逐步|分步|一步一步|단계별|خطوة بخطوة|قدم بہ قدم|مرحلہ وار",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Announcement:
    """Where an answer is announced in a text.

    Attributes:
        end: the first character after the announcement.
        joined: whether a copula joins the answer on; without one the number must follow at once.
        language: whose wording it is.
    """

    end: int
    joined: bool
    language: str


def announcements(line: str, language: str) -> list[Announcement]:
    """All announcements in a line of normalised text, in `language` or in English, in their order."""
    found = [
        Announcement(match.end(), match["copula"] is not None, code)
        for code in dict.fromkeys((language, ENGLISH))
        for match in _pattern(code).finditer(line)
        if match["copula"] is not None or not _heads_a_solution(line, match)
    ]
    return sorted(found, key=lambda announcement: announcement.end)


def _heads_a_solution(line: str, match: re.Match[str]) -> bool:
    clause = re.split(r"[.!?:。।]", line[: match.start()])[-1] + match[0]
    return _STEP_BY_STEP.search(clause) is not None


@cache
def _pattern(language: str) -> re.Pattern[str]:
    wording = WORDINGS[language]
    filler = rf"[^\d\n.!?。।=:]{{0,{wording.filler}}}?"
    edge = r"\b" if wording.words else ""
    pattern = (
        rf"{edge}(?:{wording.nouns}){edge}"
        rf"(?:{filler}(?:(?P<copula>{edge}(?:{wording.copulas}){edge})|[:=—]|\s-(?=\s)))?"
    )
    return re.compile(unicodedata.normalize("NFC", pattern), re.IGNORECASE)

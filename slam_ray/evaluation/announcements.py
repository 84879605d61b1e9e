"""How a response announces its answer in each language: "The answer is 5", "Ответ — 5", "答えは5です", "উত্তর হল 5"."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Wording:
    """Words of one language.

    Attributes:
        nouns: for the answer.
        copulas: that join the answer to the number; the number may then be anywhere in the rest of the sentence.
        filler: most characters between noun and copula ("the answer to the question is").
        words: whether spaces separate words, so that nouns and copulas must be whole words.
        options: nouns for a choice, before its label.
    """

    nouns: str
    copulas: str
    filler: int = 40
    words: bool = True
    options: str = "option"


WORDINGS = {
    "ar": Wording("(?:ال)?(?:إجابة|اجابة|جواب)", "هي|هو|تساوي|يساوي", options="(?:ال)?(?:خيار|اختيار)"),
    "bn": Wording("উত্তর(?:টি|টা)?", "হলো|হল|হচ্ছে|হবে|হয়", words=False, options="বিকল্প|অপশন"),
    "de": Wording("antwort|lösung|endergebnis", "ist|sind|lautet|beträgt|wäre", options="option|auswahl|antwort"),
    "en": Wording(
        "answer",
        "is|are|equals|would be|will be|should be|must be",
        options="option|choice|answer|choose|pick|select|go with",
    ),
    "es": Wording("respuesta|resultado final", "es|son|será|sería", options="opción|alternativa|respuesta"),
    "fr": Wording("réponse|résultat final", "est|sont|sera|serait", options="option|choix|réponse"),
    "hi": Wording("उत्तर|जवाब", "है|होगा|हैं", words=False, options="विकल्प"),
    "it": Wording("risposta|risultato finale", "è|sono|sarà|sarebbe", options="opzione|scelta|risposta"),
    # Not verbs (答える, 回答し), nor how many were right (正解数).
    "ja": Wording(
        "答え(?![るたてられ])|(?:解答|回答|正解)(?![しす者率数])", "は|が", filler=0, words=False, options="選択肢"
    ),
    "ko": Wording("대답(?![하했한할])|정답(?![률자])|답(?![하했한할변])", "은|는|이", 0, False, "선택지|보기|옵션"),
    "nl": Wording("antwoord", "is|zijn|luidt|bedraagt", options="optie|keuze|antwoord"),
    "pl": Wording("odpowiedź|odpowiedzią", "to|jest|brzmi|wynosi", options="opcja|opcją|odpowiedź"),
    "pt": Wording("resposta|resultado final", "é|são|será|seria", options="opção|alternativa|resposta"),
    "ru": Wording("ответ(?:ом)?", "это|является|равен|будет|составляет", options="вариант|ответ"),
    "sw": Wording("jibu", "ni|litakuwa", options="chaguo"),
    "te": Wording("సమాధానం|జవాబు", "అంటే|ఏమిటంటే", words=False, options="ఎంపిక|ఆప్షన్"),
    # ตอบ alone is the verb as well, inside a sentence.
    "th": Wording("คำตอบ|(?:(?<![\u0e00-\u0e7f])|(?<=ดังนั้น)|(?<=จึง))ตอบ", "คือ|เป็น|เท่ากับ", 20, False, "ตัวเลือก|ข้อ"),
    "ur": Wording("جواب", "ہے|ہوگا|یہ ہے", options="آپشن|انتخاب"),
    "vi": Wording("câu trả lời|đáp án|đáp số", "là|bằng", options="lựa chọn|phương án|đáp án"),
    "zh": Wording("答案|(?<![解回作])答(?=[:,])", "是|为|為|等于|等於|[:,]", 4, False, "选项|選項|选择"),
}

# "Step-by-step answer: 5 bagels cost ..." is the head of a solution.
_STEP_BY_STEP = re.compile(
    "step[- ]by[- ]step|schritt[- ]für[- ]schritt|paso a paso|étape par étape|passo (?:a |dopo )?passo|stap voor stap"
    "|krok po kroku|пошагов|шаг за шагом|hatua kwa hatua|từng bước|ধাপে ধাপে|चरण[- ]दर[- ]चरण|దశలవారీ|ทีละขั้น"
    "|ステップごと|ステップバイステップ|逐步|分步|一步一步|단계별|خطوة بخطوة|قدم بہ قدم|مرحلہ وار",
    re.IGNORECASE,
)
# "To find the answer: ..." is followed by the way to it, and perhaps by the answer.
_SEEKING = re.compile(
    r"\b(?:find|get|calculat|determin|solve|comput|work out|obtain|look for|express|reach|arrive|steps?\b)"
    r"|\b(?:finden|berechne|ermittel|bestimm|erhalten|schritte?\b)|\b(?:encontra|calcul|hallar|obtene|pasos\b)"
    r"|\b(?:trouve|obten|détermin|étapes)|\b(?:trova|calcol|otten|passaggi)|\b(?:obte|passos\b)"
    r"|\b(?:vinden|bereken|bepal|stappen)|\b(?:znaleźć|znajd|oblicz|uzyska|kroki)"
    r"|\b(?:найти|найд|вычисл|получ|определ|шаги)|\b(?:hatua|kupata|kutafuta|kuhesabu|kukokotoa)"
    r"|\b(?:tìm|tính|các bước)|เพื่อหา|การหา|ขั้นตอน|คำนวณ|步骤|步驟|求|找到|找出|计算|計算|得出|如何|手順|ステップ|見つけ"
    r"|단계|구하|찾|계산|إيجاد|خطوات|حساب|الحصول|পেতে|খুঁজ|ধাপ|বের কর|নির্ণয়|গণনা|चरण|खोज|निकाल|ज्ञात|गणना"
    r"|దశ|కనుగొన|లెక్కి|مراحل|معلوم|تلاش|حاصل",
    re.IGNORECASE,
)
# What may stand between an announcement and its number or label.
ADVERBS = (
    r"approx(?:imately|\.)?|about|around|roughly|exactly|therefore|thus|then|simply|just|equal to|indeed|a total of"
    r"|also|somit|daher|genau|etwa|ungefähr|ca\.|entonces|aproximadamente|exactamente|por lo tanto|donc|environ"
    r"|exactement|quindi|circa|esattamente|então|portanto|exatamente|dus|ongeveer|precies|więc|zatem|około|dokładnie"
    r"|примерно|около|ровно|takriban|karibu|khoảng|大?约|大?約|약|총|ประมาณ|حوالي|تقريبا|लगभग|প্রায়|సుమారు|تقریبا"
)
# A model that has answered may go on and invent another question.
NEXT_QUESTION = re.compile(
    r"\s*(?:#{2,4} *(?:Instruction|Input|Question|Problem)|(?:Question|Problem|Q|Frage|Aufgabe|Pregunta|Problema"
    r"|Domanda|Pergunta|Vraag|Pytanie|Вопрос|Задача|Swali|Câu hỏi|प्रश्न|প্রশ্ন|ప్రశ్న|คำถาม|سؤال"
    r"|السؤال|سوال|问题|問題|질문|문제)"
    r"(?: ?\d+)? *:)",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"\n|[.!?](?=\s+[^\d\s]|\s*$)|[。।۔؟]")
# In English the noun is the verb as well: "he could answer 5 questions"; and a unit: "2 points/answer".
_VERB = re.compile(
    r"/ ?$|\b(?:per|to|can|could|will|would|shall|should|must|may|might|not|[a-z]+n't)\s+$", re.IGNORECASE
)
_NOUN = re.compile(
    r"(?:^|[^\w\s,]|\b(?:the|my|our|your|final|correct|right|numerical|exact|short|so|thus|therefore|hence),?)\s*$",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[.!?:。।]")
# So many characters before an announcement are read to judge it.
_REACH = 80


@dataclass(frozen=True)
class Announcement:
    """An announcement of an answer, in a line from `start` to before `end`.

    Attributes:
        joined: whether it ends with a copula; without one the number must follow directly.
        preamble: whether it says that the answer is still to be found, so that a later announcement counts more.
        language: of its wording.
    """

    start: int
    end: int
    joined: bool
    preamble: bool
    language: str


def announcements(line: str, languages: Iterable[str]) -> list[Announcement]:
    """All announcements in a line of normalised text, in those of the languages that have a wording here, in order."""
    found = []
    for code in languages:
        for match in _pattern(code).finditer(line) if code in WORDINGS else ():
            before = line[max(0, match.start() - _REACH) : match.start()]
            joined = match["copula"] is not None
            clause = _CLAUSE_END.split(before)[-1] + match[0]
            if (code == "en" and not _is_noun(before, match)) or (not joined and _STEP_BY_STEP.search(clause)):
                continue
            preamble = not joined and _SEEKING.search(clause) is not None
            found.append(Announcement(match.start(), match.end(), joined, preamble, code))
    return sorted(found, key=lambda announcement: announcement.end)


def _is_noun(before: str, match: re.Match[str]) -> bool:
    """Whether "answer" is no verb there."""
    if _VERB.search(before):
        return False
    return match["mark"] is not None or _NOUN.search(before) is not None


@cache
def _pattern(language: str) -> re.Pattern[str]:
    wording = WORDINGS[language]
    filler = rf"[^\d\n.!?。।=:]{{0,{wording.filler}}}?"
    edge = r"\b" if wording.words else ""
    pattern = (
        rf"{edge}(?:{wording.nouns}){edge}"
        rf"(?P<mark>{filler}(?:(?P<copula>{edge}(?:{wording.copulas}){edge})|[:=—]|\s-(?=\s)))?"
    )
    return re.compile(unicodedata.normalize("NFC", pattern), re.IGNORECASE)

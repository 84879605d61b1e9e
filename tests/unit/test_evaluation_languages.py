"""The language of a response, on solutions of our own wording: short and long, with figures, formulas and labels."""

import pytest

from slam_ray.corpora.languages import LANGUAGES
from slam_ray.evaluation.languages import UNCLEAR, written_in

SENTENCES = {
    "ar": [
        "يبيع التاجر ٩ سلال كل يوم، فيكسب 18 دينارًا. الإجابة هي 18.",
        "الجواب الصحيح هو (ب) لأن الكتب توضع على الرف.",
    ],
    "bn": ["রিমা প্রতিদিন ৯টি ডিম বিক্রি করে ১৮ টাকা পায়। উত্তর হল ১৮।", "সঠিক উত্তর (B), কারণ বই তাকে রাখা হয়।"],
    "de": [
        "Zuerst sind es 16 - 7 = 9 Körbe, das macht 18 Euro. Die Antwort ist 18.",
        "Richtig ist (B): Dort stehen Bücher.",
    ],
    "en": ["Lena sells 16 - 7 = 9 baskets a day and earns 18 euros. The answer is 18.", "The right choice is (B)."],
    "es": [
        "Lena vende 16 - 7 = 9 cestas y gana 18 euros. La respuesta es 18.",
        "La opción correcta es (B), una estantería.",
    ],
    "fr": [
        "Lena vend 16 - 7 = 9 paniers et gagne 18 euros. La réponse est 18.",
        "Le bon choix est (B), sur une étagère.",
    ],
    "hi": ["लीना हर दिन 9 टोकरियाँ बेचकर 18 रुपये कमाती है। उत्तर 18 है।", "सही विकल्प (B) है, क्योंकि किताबें वहाँ रहती हैं।"],
    "it": ["Lena vende 16 - 7 = 9 cesti e guadagna 18 euro. La risposta è 18.", "La scelta giusta è (B), lo scaffale."],
    "ja": ["レナは毎日かごを9個売り、18ユーロを得ます。答えは18です。", "正しいのは(B)です。本は棚に置きます。"],
    "ko": [
        "레나는 매일 바구니 9개를 팔아 18유로를 법니다. 정답은 18입니다.",
        "옳은 것은 (B)입니다. 책은 책장에 둡니다.",
    ],
    "nl": [
        "Lena verkoopt 16 - 7 = 9 manden en verdient 18 euro. Het antwoord is 18.",
        "De juiste keuze is (B), een plank.",
    ],
    "pl": [
        "Lena sprzedaje 16 - 7 = 9 koszy i zarabia 18 euro. Odpowiedź to 18.",
        "Właściwy wybór to (B), czyli półka.",
    ],
    "pt": [
        "A Lena vende 16 - 7 = 9 cestos e ganha 18 euros. A resposta é 18.",
        "A escolha certa é (B), uma prateleira.",
    ],
    "ru": [
        "Лена продаёт 16 - 7 = 9 корзин и получает 18 евро. Ответ: 18.",
        "Верный выбор — (B): книги стоят на полке.",
    ],
    "sw": [
        "Lena anauza vikapu 16 - 7 = 9 na kupata shilingi 18. Jibu ni 18.",
        "Chaguo sahihi ni (B), yaani rafu ya vitabu.",
    ],
    "te": ["లీనా రోజూ 9 బుట్టలు అమ్మి 18 రూపాయలు సంపాదిస్తుంది. సమాధానం 18.", "సరైన ఎంపిక (B)."],
    "th": ["ลีนาขายตะกร้าวันละ 9 ใบ ได้เงิน 18 บาท คำตอบคือ 18", "ข้อที่ถูกคือ (B) เพราะหนังสืออยู่บนชั้น"],
    "ur": [
        "لینا روزانہ 9 ٹوکریاں بیچ کر 18 روپے کماتی ہے۔ جواب 18 ہے۔",
        "درست انتخاب (B) ہے کیونکہ کتابیں وہاں رکھی جاتی ہیں۔",
    ],
    "vi": ["Mỗi ngày Lena bán 9 cái giỏ và kiếm được 18 euro. Câu trả lời là 18.", "Lựa chọn đúng là (B), cái kệ."],
    "zh": ["莱娜每天卖出9个篮子，赚了18欧元。答案是18。", "正确的选择是(B)，因为书放在架子上。"],
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_response_in_each_language(language: str) -> None:
    assert [written_in(sentence, "en") for sentence in SENTENCES[language]] == [language, language]


@pytest.mark.parametrize("response", ["", "18", "(B)", "16 - 7 = 9, 9 * 2 = $18", r"\boxed{18}", "12 km"])
def test_figures_and_labels_are_in_no_language(response: str) -> None:
    assert written_in(response, "en") == UNCLEAR


def test_thoughts_do_not_count() -> None:
    assert written_in(f"<think>{SENTENCES['en'][0]}</think>\n{SENTENCES['sw'][0]}", "sw") == "sw"
    assert written_in(r"\text{Total} = \frac{18}{2}. " + SENTENCES["th"][0], "en") == "th"


def test_a_language_that_is_asked_in_is_one_of_the_possible_ones() -> None:
    turkish = "Lena her gün dokuz sepet satıyor ve on sekiz avro kazanıyor."
    assert written_in(turkish, "tr") == "tr"
    assert written_in(turkish, "en") != "tr"
    assert written_in(SENTENCES["en"][0], "tw") == "en", "which the identifier does not know"

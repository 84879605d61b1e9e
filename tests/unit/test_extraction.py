"""Both extractors over the paper's languages: a table of cases, and numbers written by rule and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slam_ray.corpora.languages import NAMES
from slam_ray.evaluation.extraction import extract, extractors_for, is_correct, last_number, strict
from slam_ray.evaluation.numbers import DECIMAL_COMMA
from slam_ray.evaluation.phrases import WORDINGS

# Language, response, what strict reads.
STRICT: list[tuple[str, str, float | None]] = [
    # The answer's announcement in each language.
    ("ar", "إذن 5 + 6 = 11. الإجابة هي 11.", 11),
    ("ar", "الجواب: ١٢٣", 123),
    ("bn", "5 + 6 = 11। উত্তর হল 11। তার 3 ভাই।", 11),
    ("bn", "সুতরাং উত্তর: ২৫ টাকা", 25),
    ("bn", "উত্তরটি হবে 40 টি বল, 2 টি নয়।", 40),
    ("de", "Die Antwort lautet 29. Das sind 3 mehr als gestern.", 29),
    ("de", "Antwort: 7 Äpfel in 2 Tagen", 7),
    ("en", "The answer is 18. She has 3 ducks.", 18),
    ("en", "Answer: 18 eggs per 1 day", 18),
    ("en", "So the final answer to the question is: 42.", 42),
    ("es", "La respuesta es 39. Quedan 2 días.", 39),
    ("es", "Respuesta final: 8 libros (2 cajas)", 8),
    ("fr", "La réponse est 29. Il y a 4 jours.", 29),
    ("fr", "Réponse : 12 billes pour 3 amis", 12),
    ("hi", "उत्तर 15 है। उसके 2 भाई हैं।", 15),
    ("it", "La risposta è 6. Sono 2 giorni.", 6),
    ("ja", "答えは11です。ボールは2缶あります。", 11),
    ("ja", "ステップごとの答え：ロジャーは最初5個のボールがありました。\n5+6=11。答えは11です。", 11),
    ("ja", "答え：39個 (3日)", 39),
    ("ko", "정답은 9입니다. 3명이 있습니다.", 9),
    ("nl", "Het antwoord is 14. Dat is 2 meer.", 14),
    ("pl", "Odpowiedź to 21. Ma 3 koty.", 21),
    ("pt", "A resposta é 33. São 3 dias.", 33),
    ("ru", "Ответ — 11. У него 2 банки.", 11),
    ("ru", "Ответ - 11 мячей за 2 дня", 11),
    ("ru", "Правильным ответом является 39. Это за 3 дня.", 39),
    ("sw", "Jibu ni 29. Kuna siku 4.", 29),
    ("sw", "Jibu sahihi la swali hili ni 70 kwa siku 2", 70),
    ("te", "సమాధానం 11. 2 డబ్బాలు.", 11),
    ("th", "ดังนั้น 5 + 6 = 11 คำตอบคือ 11\nมี 2 คน", 11),
    ("th", "คำตอบสุดท้ายคือ ๒๙ บาท", 29),
    ("ur", "جواب ہے 16۔ اس کے 2 بھائی ہیں", 16),
    ("vi", "Câu trả lời là 17. Có 2 ngày.", 17),
    ("zh", "答案是 29。一共有 4 天。", 29),
    ("zh", "5+6=11。答：罗杰有11个网球。用了2罐。", 11),
    ("zh", "逐步解答：罗杰一开始有 5 个球。\n2 罐是 6 个，共 11 个。答案为11。", 11),
    # A question in one language, answered in English.
    ("bn", "Roger has 5 + 6 = 11 balls. The answer is 11. He has 2 cans.", 11),
    ("de", "The answer is 1,234.", 1234),
    ("zh", "The answer is: 70000\n\n### Instruction: 3", 70000),
    ("en", "Answer: USD 18 per 2 weeks", 18),
    ("sw", "Jibu: shilingi 500 kwa siku 2", 500),
    ("en", "The answer is approx. 18. He has 2 left.", 18),
    ("fr", "Réponse étape par étape : Roger a 5 balles.\nIl en a 11.", 11),
    ("en", "Step-by-Step Answer: 5 bagels cost 15 dollars.\nThe answer is 8.", 8),
    ("fr", "Réponse étape par étape : 5 bagels coûtent 15 dollars.\nLa réponse est 8.", 8),
    ("ru", "Пошаговое решение: было 5 мячей. Ответ — 11.\n\nThe answer is 3.", 11),
    # Native digits.
    ("bn", "মোট ১২৩ টাকা", 123),
    ("bn", "উত্তর হল ১,২৩,৪৫৬", 123456),
    ("th", "เหลือ ๑,๒๓๔.๕ บาท", 1234.5),
    ("hi", "कुल १२ रुपये", 12),
    ("ar", "المجموع ١٬٢٣٤٫٥ ريال", 1234.5),
    ("ja", "合計は１，２３４．５円", 1234.5),
    ("zh", "一共３０个", 30),
    # Separators by locale.
    ("en", "It costs 1,234.5 dollars", 1234.5),
    ("en", "It costs 1,234 dollars", 1234),
    ("en", "It weighs 1.234 kg", 1.234),
    ("en", "It costs 12,345,678", 12345678),
    ("de", "Es kostet 1.234,5 Euro", 1234.5),
    ("de", "Es kostet 1.234 Euro", 1234),
    ("de", "Es sind 2,5 kg", 2.5),
    ("de", "Es sind 0,125 kg", 0.125),
    ("de", "Es kostet 1'234.50 Franken", 1234.5),
    ("es", "Cuesta 1.234.567 pesos", 1234567),
    ("es", "Cuesta 1,5 euros", 1.5),
    ("fr", "Cela coûte 1 234,5 euros", 1234.5),
    ("fr", "Cela coûte 1\u202f234 euros", 1234),
    ("fr", "Cela coûte 12\u00a0345\u00a0678 euros", 12345678),
    ("ru", "Это стоит 1 234,5 рубля", 1234.5),
    ("ru", "Всего 70\u00a0000 долларов", 70000),
    ("sw", "Jumla ni shilingi 1,234.50", 1234.5),
    ("th", "ทั้งหมด 70,000 บาท", 70000),
    ("zh", "共 1,234 元", 1234),
    ("hi", "कुल 1,23,456 रुपये", 123456),
    # Separators by unanimity: the other numbers of the text settle what the locale would read otherwise.
    ("de", "Es kostet 3.50 + 2.75 Dollar. Zusammen mit 1,994 sind es 2,000", 2000),
    ("es", "Son $12.50 y $7.50; en total 1,250", 1250),
    ("en", "It is 2,5 kg and 3,5 kg, or 6.000 g", 6000),
    ("en", "It is 2,5 kg and 3.5 kg, or 6,000 g", 6000),
    # Signs.
    ("en", "The answer is -10.", -10),
    ("en", "The answer is −10.", -10),
    ("en", "The answer is -$5.", -5),
    ("en", "The answer is $-5.", -5),
    ("en", "The answer is minus 10.", -10),
    ("de", "Antwort: –3", -3),
    ("ru", "Ответ: -11", -11),
    ("ru", "Ответ — −11.", -11),
    ("zh", "答案是负5。", -5),
    ("ja", "答えはマイナス5です。", -5),
    ("en", "He keeps 20-5 apples", 5),
    ("en", "20 - 5 = 15", 15),
    ("en", "pages 10–12", 12),
    ("en", "a 3-day trip", 3),
    # Fractions, mixed numbers.
    ("en", "The answer is 3/4.", 0.75),
    ("en", "The answer is -3/4.", -0.75),
    ("en", "She ate 1 3/4 cakes", 1.75),
    ("fr", "La réponse est 1½.", 1.5),
    ("en", r"The answer is $\frac{3}{4}$.", 0.75),
    ("en", "The answer is 12/4 = 3.", 3),
    # Percent, currency, times.
    ("en", "The answer is 25%.", 25),
    ("de", "Die Antwort ist 12,5 %.", 12.5),
    ("ja", "答えは２５％です", 25),
    ("en", "The answer is $1,234.50 in 2 weeks.", 1234.5),
    ("fr", "La réponse est 18 €.", 18),
    ("bn", "উত্তর হল ৳১৮।", 18),
    ("ja", "答えは¥1,200です。", 1200),
    ("en", "The answer is 12:30.", 12.5),
    ("en", "She arrives at 5:00 PM", 5),
    ("fr", "La réponse est 12 h 30.", 12.5),
    ("ja", "答えは12時15分です。", 12.25),
    # Chinese and Japanese units of ten thousand; a kilogram is no thousand.
    ("ja", "答えは1万2000円です。", 12000),
    ("zh", "答案是3.5万元。", 35000),
    ("zh", "答案是5千克。", 5),
    # No number.
    ("en", "I do not know.", None),
    ("th", "ไม่มีคำตอบ", None),
    ("en", "", None),
    ("en", "The area is in m²", None),
    # Text that runs on, corrections, calculations, markup.
    ("en", "The answer is 18.\n\nQuestion: Tom has 3 cats. The answer is 3.", 18),
    ("sw", "Jibu ni 18.\n### Instruction:\nThe answer is 7.", 18),
    ("en", "The answer is 12. Wait, that is wrong: the answer is 15.", 15),
    ("en", "The answer is 5 + 6 = 11 (2 cans).", 11),
    ("en", "The answer is x = 5.", 5),
    ("en", "The answer is **18** (3 ducks).", 18),
    ("en", "**Answer:**\n\n18", 18),
    ("en", r"The sum is 3. \boxed{1{,}234} of 7", 1234),
    ("en", "There are 3 left.\n#### 42\n1", 42),
    ("en", "<think>The answer is 3, or 4.</think>The answer is 5.", 5),
    ("en", "The answer is that the 3 friends have 18 dollars.", 18),
    ("en", "The three numbers are 1,2,3", 3),
    ("en", "First 12. Then 18.", 18),
]

# Response, what the field's extractor reads, right or wrong.
LAST_NUMBER: list[tuple[str, float | None]] = [
    ("The answer is 18.", 18),
    ("70,000 dollars", 70000),
    ("1,234,567.25", 1234567.25),
    ("মোট ১২৩", 123),
    ("１８個", 18),
    ("-10", 10),
    ("2,5", 25),
    ("1.234", 1.234),
    ("1 234", 234),
    ("3/4", 4),
    ("12:30", 30),
    ("The answer is 18. She has 3 ducks.", 3),
    ("none", None),
]


@pytest.mark.parametrize(("language", "response", "number"), STRICT)
def test_strict(language: str, response: str, number: float | None) -> None:
    found = strict(response, language)
    assert found == (number if number is None else pytest.approx(number))


@pytest.mark.parametrize(("response", "number"), LAST_NUMBER)
def test_last_number_with_its_faults(response: str, number: float | None) -> None:
    assert last_number(response) == number


def test_no_number_is_wrong_also_where_the_gold_answer_is_zero() -> None:
    assert not is_correct(None, 0.0)
    assert is_correct(0.0004, 0.0)
    assert not is_correct(0.001, 0.0)


def test_every_known_language_has_its_wording() -> None:
    assert WORDINGS.keys() == NAMES.keys()


SENTENCES = {
    "bn": "উত্তর হল {}।", "de": "Die Antwort lautet {}.", "en": "The answer is {}.", "es": "La respuesta es {}.",
    "fr": "La réponse est {}.", "ja": "答えは{}です。", "ru": "Ответ — {}.", "sw": "Jibu ni {}.",
    "th": "คำตอบคือ {}", "zh": "答案是{}。",
}  # fmt: skip
GROUPING = {"de": ".", "es": ".", "fr": "\u202f", "ru": "\u00a0"}
NATIVE_DIGITS = {"bn": "০১২৩৪৫৬৭৮৯", "th": "๐๑๒๓๔๕๖๗๘๙", "ja": "０１２３４５６７８９", "zh": "０１２３４５６７８９"}


def written(language: str, cents: int, grouped: bool, native: bool) -> str:
    """A number of hundredths as the language writes it; without decimals if it has none."""
    whole, decimals = divmod(abs(cents), 100)
    text = f"{whole:,}".replace(",", GROUPING.get(language, ",") if grouped else "")
    if decimals:
        text += ("," if language in DECIMAL_COMMA else ".") + f"{decimals:02d}"
    if native and language in NATIVE_DIGITS:
        text = text.translate({ord(str(digit)): native for digit, native in enumerate(NATIVE_DIGITS[language])})
    return ("-" if cents < 0 else "") + text


@given(
    language=st.sampled_from(sorted(SENTENCES)),
    cents=st.one_of(st.integers(-(10**6), 10**6), st.integers(-(10**8), 10**8).map(lambda whole: 100 * whole)),
    grouped=st.booleans(),
    native=st.booleans(),
    announced=st.booleans(),
)
def test_a_number_written_in_a_locale_is_read_back(
    language: str, cents: int, grouped: bool, native: bool, announced: bool
) -> None:
    number = written(language, cents, grouped, native)
    text = SENTENCES[language].format(number) + "\n3" if announced else f"… = {number}"
    assert strict(text, language) == pytest.approx(cents / 100)


@pytest.mark.parametrize(
    ("response", "last", "first"),
    [
        ("(A) is too cold and (C) too far, so the answer is (B).", "B", "A"),
        ("The answer is (D)", "D", "D"),
        ("正确的选择是（Ｃ）。", "C", "C"),
        ("[E]\n\n### Instruction:\n(A)", "A", "E"),
        ("<think>(A) or (B)?</think>( C )", "C", "C"),
        ("The answer is B.", None, None),
        ("It costs (about) 5 (see a)", None, None),
        ("", None, None),
    ],
)
def test_the_label_of_a_choice_is_the_last_or_the_first_within_brackets(
    response: str, last: str | None, first: str | None
) -> None:
    assert extract(response, "en", "last-label") == last
    assert extract(response, "en", "first-label") == first


def test_a_label_is_right_only_if_it_is_the_same() -> None:
    assert is_correct("B", "B")
    assert not is_correct("A", "B")
    assert not is_correct(None, "B")
    assert extractors_for("B", "last") == ("last-label", "first-label")
    assert extractors_for("B", "first") == ("first-label", "last-label")
    assert extractors_for(18.0, "first") == ("last-number", "strict")

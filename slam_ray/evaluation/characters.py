"""A response in plain characters: ASCII digits, one kind of space and minus, no markup."""

import re
import unicodedata

CURRENCY = r"[$€£¥₹฿₽₩৳]"
# A superscript behind a digit or a bracket is a power (10⁶); behind a letter it is part of a unit (m²).
_SUPERSCRIPT = re.compile(r"(?<=[\d)])([⁺⁻]?)([⁰¹²³⁴-⁹]+)")
_SUPERSCRIPT_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
# To put combining marks in their order takes the square of their number; no writing has as many on one letter.
_MARK = (
    r"[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u06d6-\u06ed\u0e38-\u0e4b\u1ab0-\u1aff"
    r"\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_TOO_MANY_MARKS = re.compile(rf"({_MARK}{{30}}){_MARK}+")
_BRACED = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")


class _PlainCharacters(dict[int, str]):
    """Code point -> plain text, worked out when the character first appears."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        plain = char
        if category == "Nd":
            plain = str(unicodedata.decimal(char))
        elif category == "No":
            fraction = unicodedata.normalize("NFKC", char).replace("⁄", "/")
            plain = f" {fraction}" if "/" in fraction else " "
        elif category == "Zs":
            plain = " "
        elif "！" <= char <= "～":  # full-width forms of ASCII
            plain = chr(code - 0xFEE0)
        self[code] = plain
        return plain


_PLAIN = _PlainCharacters({ord("٫"): ".", ord("٬"): ",", **dict.fromkeys(map(ord, "−–‒﹣－"), "-")})


def normalise(text: str) -> str:
    """The same text with ASCII digits, plain spaces, one kind of minus, and without LaTeX and bold markup.

    Every power is written as 10^6. Other superscripts, and circled digits, are no numbers and become spaces.
    """
    # A full-width comma ends a clause, unless it stands inside a number that is full-width throughout.
    text = re.sub(r"(?<![０-９])，|，(?![０-９])", ", ", text)
    text = _SUPERSCRIPT.sub(_power, text)
    text = unicodedata.normalize("NFC", _TOO_MANY_MARKS.sub(r"\1", text)).translate(_PLAIN)
    text = _BRACED.sub(r" \1/\2", text)
    text = text.replace("{,}", ",").replace("\\!", "").replace("\\$", "$").replace("\\%", "%")
    text = re.sub(r"(?<=\d)\*\*(?=\d)", "^", text).replace("**", "")
    return re.sub(r"\\[,;: ]", " ", text)


def _power(match: re.Match[str]) -> str:
    return f"^{'-' if match[1] == '⁻' else ''}{match[2].translate(_SUPERSCRIPT_DIGITS)}"

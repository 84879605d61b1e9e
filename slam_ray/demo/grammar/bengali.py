"""Bengali: the classifier on the number, case endings on names."""

from slam_ray.demo.grammar.form import Grammar, Slots
from slam_ray.demo.problems import Fact

_NAMES = {
    "Anna": "আন্না", "Tom": "টম", "Maria": "মারিয়া", "David": "ডেভিড",
    "Sara": "সারা", "Omar": "ওমর", "Emma": "এমা", "Peter": "পিটার",
}  # fmt: skip
_NOUNS = {
    "oranges": "কমলা", "eggs": "ডিম", "bananas": "কলা", "candies": "লজেন্স", "books": "বই", "pencils": "পেন্সিল",
    "balls": "বল", "flowers": "ফুল", "stamps": "ডাকটিকিট", "coins": "মুদ্রা", "cups": "কাপ", "hats": "টুপি",
}  # fmt: skip
_BOXES = {"boxes": ("বাক্স", "বাক্সে"), "bags": ("ব্যাগ", "ব্যাগে")}


def _genitive(name: str) -> str:
    """A name that ends in a vowel sign takes -র, one that ends in a consonant -ের."""
    return name + ("র" if name[-1] in "ািীুূেো" else "ের")


def _bengali(fact: Fact) -> Slots:
    who, other = _NAMES[fact.who], _NAMES[fact.other]
    box, in_box = _BOXES[fact.container]
    return {
        "who": who,
        "who_gen": _genitive(who),
        "other": other,
        "other_gen": _genitive(other),
        "thing": _NOUNS[fact.noun],
        "box": box,
        "in_box": in_box,
    }


BENGALI = Grammar(
    clauses={
        "has": "{who_gen} কাছে {n}টি {thing} আছে",
        "containers": "{who_gen} কাছে {n}টি {box} আছে",
        "each": "প্রতিটি {in_box} {n}টি {thing} আছে",
        "shares": "{who} {thing}গুলো {n} জন বন্ধুর মধ্যে সমানভাবে ভাগ করে দেয়",
        "total": "একসঙ্গে",
        "buys": "{who} {n}টি {thing} কেনে",
        "finds": "{who} {n}টি {thing} খুঁজে পায়",
        "gets": "{who} {other_gen} কাছ থেকে {n}টি {thing} পায়",
        "gives": "{who} {other}কে {n}টি {thing} দেয়",
        "sells": "{who} {n}টি {thing} বিক্রি করে",
        "loses": "{who} {n}টি {thing} হারিয়ে ফেলে",
        "eats": "{who} {n}টি {thing} খায়",
        "more": "{who_gen} কাছে {other_gen} চেয়ে {n}টি বেশি {thing} আছে",
        "fewer": "{who_gen} কাছে {other_gen} চেয়ে {n}টি কম {thing} আছে",
    },
    asks={
        "now": "এখন {who_gen} কাছে কতটি {thing} আছে?",
        "each_gets": "প্রত্যেক বন্ধু কতটি {thing} পায়?",
        "both": "তাদের কাছে মোট কতটি {thing} আছে?",
    },
    answer="উত্তর হলো {n}",
    slots=_bengali,
    stop="।",
)

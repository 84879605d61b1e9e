"""Swahili: how many (-ngapi) and "in each" agree with the noun's class."""

from slam_ray.demo.grammar.form import Grammar, Slots
from slam_ray.demo.problems import Fact

_NOUNS = {
    "oranges": ("machungwa", "mangapi"), "eggs": ("mayai", "mangapi"), "bananas": ("ndizi", "ngapi"),
    "candies": ("peremende", "ngapi"), "books": ("vitabu", "vingapi"), "pencils": ("penseli", "ngapi"),
    "balls": ("mipira", "mingapi"), "flowers": ("maua", "mangapi"), "stamps": ("stempu", "ngapi"),
    "coins": ("sarafu", "ngapi"), "cups": ("vikombe", "vingapi"), "hats": ("kofia", "ngapi"),
}  # fmt: skip
_BOXES = {
    "boxes": ("masanduku", "sanduku lina"),
    "bags": ("mifuko", "mfuko una"),
}


def _swahili(fact: Fact) -> Slots:
    things, how_many = _NOUNS[fact.noun]
    boxes, box_has = _BOXES[fact.container]
    return {
        "who": fact.who,
        "other": fact.other,
        "things": things,
        "how_many": how_many,
        "boxes": boxes,
        "box_has": box_has,
    }


SWAHILI = Grammar(
    clauses={
        "has": "{who} ana {things} {n}",
        "containers": "{who} ana {boxes} {n}",
        "each": "Kila {box_has} {things} {n}",
        "shares": "{who} anawagawia marafiki {n} {things} kwa usawa",
        "total": "Kwa pamoja",
        "buys": "{who} ananunua {things} {n}",
        "finds": "{who} anaokota {things} {n}",
        "gets": "{who} anapokea {things} {n} kutoka kwa {other}",
        "gives": "{who} anampa {other} {things} {n}",
        "sells": "{who} anauza {things} {n}",
        "loses": "{who} anapoteza {things} {n}",
        "eats": "{who} anakula {things} {n}",
        "more": "{who} ana {things} {n} zaidi ya {other}",
        "fewer": "{who} ana {things} {n} pungufu ya {other}",
    },
    asks={
        "now": "{who} ana {things} {how_many} sasa?",
        "each_gets": "Kila rafiki anapata {things} {how_many}?",
        "both": "Wana {things} {how_many} kwa pamoja?",
    },
    answer="Jibu ni {n}",
    slots=_swahili,
)

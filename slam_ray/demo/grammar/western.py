"""English, German, French and Spanish."""

from slam_ray.demo.grammar.form import Grammar, Slots
from slam_ray.demo.problems import Fact

_ENGLISH_BOX = {"boxes": "box", "bags": "bag"}


def _english(fact: Fact) -> Slots:
    return {
        "who": fact.who,
        "other": fact.other,
        "things": fact.noun,
        "boxes": fact.container,
        "box": _ENGLISH_BOX[fact.container],
    }


ENGLISH = Grammar(
    clauses={
        "has": "{who} has {n} {things}",
        "containers": "{who} has {n} {boxes}",
        "each": "There are {n} {things} in each {box}",
        "shares": "{who} shares the {things} equally among {n} friends",
        "total": "Together",
        "buys": "{who} buys {n} {things}",
        "finds": "{who} finds {n} {things}",
        "gets": "{who} gets {n} {things} from {other}",
        "gives": "{who} gives {n} {things} to {other}",
        "sells": "{who} sells {n} {things}",
        "loses": "{who} loses {n} {things}",
        "eats": "{who} eats {n} {things}",
        "more": "{who} has {n} more {things} than {other}",
        "fewer": "{who} has {n} fewer {things} than {other}",
    },
    asks={
        "now": "How many {things} does {who} have now?",
        "each_gets": "How many {things} does each friend get?",
        "both": "How many {things} do they have together?",
    },
    answer="The answer is {n}",
    slots=_english,
)

_GERMAN_NOUNS = {
    "oranges": "Orangen", "eggs": "Eier", "bananas": "Bananen", "candies": "Bonbons", "books": "Bücher",
    "pencils": "Bleistifte", "balls": "Bälle", "flowers": "Blumen", "stamps": "Briefmarken",
    "coins": "Münzen", "cups": "Tassen", "hats": "Hüte",
}  # fmt: skip
_GERMAN_BOXES = {
    "boxes": ("Kisten", "jeder Kiste"),
    "bags": ("Taschen", "jeder Tasche"),
}


def _german(fact: Fact) -> Slots:
    boxes, each_box = _GERMAN_BOXES[fact.container]
    return {
        "who": fact.who,
        "other": fact.other,
        "things": _GERMAN_NOUNS[fact.noun],
        "boxes": boxes,
        "each_box": each_box,
    }


GERMAN = Grammar(
    clauses={
        "has": "{who} hat {n} {things}",
        "containers": "{who} hat {n} {boxes}",
        "each": "In {each_box} sind {n} {things}",
        "shares": "{who} verteilt die {things} gleichmäßig an {n} Freunde",
        "total": "Zusammen",
        "buys": "{who} kauft {n} {things}",
        "finds": "{who} findet {n} {things}",
        "gets": "{who} bekommt {n} {things} von {other}",
        "gives": "{who} gibt {other} {n} {things}",
        "sells": "{who} verkauft {n} {things}",
        "loses": "{who} verliert {n} {things}",
        "eats": "{who} isst {n} {things}",
        "more": "{who} hat {n} {things} mehr als {other}",
        "fewer": "{who} hat {n} {things} weniger als {other}",
    },
    asks={
        "now": "Wie viele {things} hat {who} jetzt?",
        "each_gets": "Wie viele {things} bekommt jeder Freund?",
        "both": "Wie viele {things} haben sie zusammen?",
    },
    answer="Die Antwort ist {n}",
    slots=_german,
)

_FEMALE = {"Anna", "Maria", "Sara", "Emma"}
_FRENCH_NOUNS = {
    "oranges": "oranges", "eggs": "œufs", "bananas": "bananes", "candies": "bonbons", "books": "livres",
    "pencils": "crayons", "balls": "ballons", "flowers": "fleurs", "stamps": "timbres",
    "coins": "pièces", "cups": "tasses", "hats": "chapeaux",
}  # fmt: skip
_FRENCH_BOXES = {"boxes": ("boîtes", "boîte"), "bags": ("sacs", "sac")}


def _elided(word: str, following: str) -> str:
    """`de` or `que` before a word: d'Anna, de Tom."""
    return f"{word[:-1]}'{following}" if following[0] in "AEOaoœ" else f"{word} {following}"


def _french(fact: Fact) -> Slots:
    things = _FRENCH_NOUNS[fact.noun]
    boxes, box = _FRENCH_BOXES[fact.container]
    return {
        "who": fact.who,
        "other": fact.other,
        "de_other": _elided("de", fact.other),
        "que_other": _elided("que", fact.other),
        "things": things,
        "de_things": _elided("de", things),
        "boxes": boxes,
        "box": box,
        "a_t_il": "a-t-elle" if fact.who in _FEMALE else "a-t-il",
        "ils": "elles" if {fact.who, fact.other} <= _FEMALE else "ils",
    }


FRENCH = Grammar(
    clauses={
        "has": "{who} a {n} {things}",
        "containers": "{who} a {n} {boxes}",
        "each": "Dans chaque {box}, il y a {n} {things}",
        "shares": "{who} partage les {things} équitablement entre {n} amis",
        "total": "Ensemble",
        "buys": "{who} achète {n} {things}",
        "finds": "{who} trouve {n} {things}",
        "gets": "{who} reçoit {n} {things} {de_other}",
        "gives": "{who} donne {n} {things} à {other}",
        "sells": "{who} vend {n} {things}",
        "loses": "{who} perd {n} {things}",
        "eats": "{who} mange {n} {things}",
        "more": "{who} a {n} {things} de plus {que_other}",
        "fewer": "{who} a {n} {things} de moins {que_other}",
    },
    asks={
        "now": "Combien {de_things} {who} {a_t_il} maintenant ?",
        "each_gets": "Combien {de_things} chaque ami reçoit-il ?",
        "both": "Combien {de_things} ont-{ils} ensemble ?",
    },
    answer="La réponse est {n}",
    slots=_french,
    colon=" : ",
)

_SPANISH_NOUNS = {
    "oranges": "naranjas", "eggs": "huevos", "bananas": "plátanos", "candies": "caramelos", "books": "libros",
    "pencils": "lápices", "balls": "pelotas", "flowers": "flores", "stamps": "sellos",
    "coins": "monedas", "cups": "tazas", "hats": "sombreros",
}  # fmt: skip
_SPANISH_FEMININE = {"oranges", "balls", "flowers", "coins", "cups"}
_SPANISH_BOXES = {"boxes": ("cajas", "caja"), "bags": ("bolsas", "bolsa")}


def _spanish(fact: Fact) -> Slots:
    feminine = fact.noun in _SPANISH_FEMININE
    boxes, box = _SPANISH_BOXES[fact.container]
    return {
        "who": fact.who,
        "other": fact.other,
        "things": _SPANISH_NOUNS[fact.noun],
        "los": "las" if feminine else "los",
        "how_many": "Cuántas" if feminine else "Cuántos",
        "boxes": boxes,
        "box": box,
    }


SPANISH = Grammar(
    clauses={
        "has": "{who} tiene {n} {things}",
        "containers": "{who} tiene {n} {boxes}",
        "each": "En cada {box} hay {n} {things}",
        "shares": "{who} reparte {los} {things} por igual entre {n} amigos",
        "total": "En total",
        "buys": "{who} compra {n} {things}",
        "finds": "{who} encuentra {n} {things}",
        "gets": "{who} recibe {n} {things} de {other}",
        "gives": "{who} le da {n} {things} a {other}",
        "sells": "{who} vende {n} {things}",
        "loses": "{who} pierde {n} {things}",
        "eats": "{who} come {n} {things}",
        "more": "{who} tiene {n} {things} más que {other}",
        "fewer": "{who} tiene {n} {things} menos que {other}",
    },
    asks={
        "now": "¿{how_many} {things} tiene {who} ahora?",
        "each_gets": "¿{how_many} {things} recibe cada amigo?",
        "both": "¿{how_many} {things} tienen en total?",
    },
    answer="La respuesta es {n}",
    slots=_spanish,
)

"""Russian: cases of names, and of nouns after numbers."""

from slam_ray.demo.grammar.form import Grammar, Slots
from slam_ray.demo.problems import Fact

# Nominative, genitive, dative.
_NAMES = {
    "Anna": ("Анна", "Анны", "Анне"), "Tom": ("Том", "Тома", "Тому"), "Maria": ("Мария", "Марии", "Марии"),
    "David": ("Давид", "Давида", "Давиду"), "Sara": ("Сара", "Сары", "Саре"), "Omar": ("Омар", "Омара", "Омару"),
    "Emma": ("Эмма", "Эммы", "Эмме"), "Peter": ("Питер", "Питера", "Питеру"),
}  # fmt: skip
# Singular nominative, accusative, genitive; plural genitive, nominative (for things also the accusative).
_NOUNS = {
    "oranges": ("апельсин", "апельсин", "апельсина", "апельсинов", "апельсины"),
    "eggs": ("яйцо", "яйцо", "яйца", "яиц", "яйца"),
    "bananas": ("банан", "банан", "банана", "бананов", "бананы"),
    "candies": ("конфета", "конфету", "конфеты", "конфет", "конфеты"),
    "books": ("книга", "книгу", "книги", "книг", "книги"),
    "pencils": ("карандаш", "карандаш", "карандаша", "карандашей", "карандаши"),
    "balls": ("мяч", "мяч", "мяча", "мячей", "мячи"),
    "flowers": ("цветок", "цветок", "цветка", "цветков", "цветы"),
    "stamps": ("марка", "марку", "марки", "марок", "марки"),
    "coins": ("монета", "монету", "монеты", "монет", "монеты"),
    "cups": ("чашка", "чашку", "чашки", "чашек", "чашки"),
    "hats": ("шляпа", "шляпу", "шляпы", "шляп", "шляпы"),
}
# Genitive singular (after 2 to 4), genitive plural, "in each".
_BOXES = {
    "boxes": ("коробки", "коробок", "каждой коробке"),
    "bags": ("пакета", "пакетов", "каждом пакете"),
}


def _counted(number: int, one: str, few: str, many: str) -> str:
    """The form a noun takes after a number: 21 книга, 22 книги, 25 книг, 11 книг."""
    if number % 10 == 1 and number % 100 != 11:
        return one
    return few if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14) else many


def _russian(fact: Fact) -> Slots:
    who, who_gen, _ = _NAMES[fact.who]
    _, other_gen, other_dat = _NAMES[fact.other]
    nominative, accusative, genitive, genitive_plural, plural = _NOUNS[fact.noun]
    few_boxes, many_boxes, each_box = _BOXES[fact.container]
    return {
        "who": who,
        "who_gen": who_gen,
        "other_gen": other_gen,
        "other_dat": other_dat,
        "things": _counted(fact.number, nominative, genitive, genitive_plural),
        "things_acc": _counted(fact.number, accusative, genitive, genitive_plural),
        "of_things": genitive_plural,
        "all_things": plural,
        "boxes": _counted(fact.number, "", few_boxes, many_boxes),
        "each_box": each_box,
    }


RUSSIAN = Grammar(
    clauses={
        "has": "У {who_gen} {n} {things}",
        "containers": "У {who_gen} {n} {boxes}",
        "each": "В {each_box} {n} {things}",
        "shares": "{who} делит {all_things} поровну между {n} друзьями",
        "total": "Вместе",
        "buys": "{who} покупает {n} {things_acc}",
        "finds": "{who} находит {n} {things_acc}",
        "gets": "{who} получает {n} {things_acc} от {other_gen}",
        "gives": "{who} даёт {other_dat} {n} {things_acc}",
        "sells": "{who} продаёт {n} {things_acc}",
        "loses": "{who} теряет {n} {things_acc}",
        "eats": "{who} съедает {n} {things_acc}",
        "more": "У {who_gen} на {n} {things_acc} больше, чем у {other_gen}",
        "fewer": "У {who_gen} на {n} {things_acc} меньше, чем у {other_gen}",
    },
    asks={
        "now": "Сколько {of_things} теперь у {who_gen}?",
        "each_gets": "Сколько {of_things} получает каждый друг?",
        "both": "Сколько {of_things} у них вместе?",
    },
    answer="Ответ: {n}",
    slots=_russian,
)

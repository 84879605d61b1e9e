"""Agreement that a template gets wrong easily, in sentences whose right form is known."""

import pytest

from slam_ray.demo.grammar import GRAMMARS, question, solution
from slam_ray.demo.problems import CONTAINERS, FOOD, GAINS, LOSSES, NAMES, NOUNS, Problem


def change(noun: str, *numbers: int, who: str = "Tom", other: str = "Anna") -> Problem:
    return Problem("change", who, other, noun, "boxes", ("buys", "gives"), numbers)


@pytest.mark.parametrize(
    ("language", "problem", "text"),
    [
        ("ru", change("books", 21, 2, 5), "У Тома 21 книга. Том покупает 2 книги. Том даёт Анне 5 книг."),
        ("ru", change("books", 12, 31, 11), "У Тома 12 книг. Том покупает 31 книгу. Том даёт Анне 11 книг."),
        ("fr", change("eggs", 9, 8, 7, who="Sara"), "Combien d'œufs Sara a-t-elle maintenant ?"),
        ("fr", change("cups", 9, 8, 7), "Combien de tasses Tom a-t-il maintenant ?"),
        ("es", change("flowers", 9, 8, 7), "¿Cuántas flores tiene Tom ahora?"),
        ("es", change("books", 9, 8, 7), "¿Cuántos libros tiene Tom ahora?"),
        ("sw", change("books", 9, 8, 7), "Tom ana vitabu vingapi sasa?"),
        ("sw", change("balls", 9, 8, 7), "Tom ana mipira mingapi sasa?"),
        ("bn", change("books", 9, 8, 7), "টমের কাছে 9টি বই আছে।"),
        ("bn", change("books", 9, 8, 7, who="Sara"), "সারার কাছে 9টি বই আছে।"),
        ("th", change("eggs", 9, 8, 7), "ทอมมีไข่ 9 ฟอง"),
        ("ja", change("books", 9, 8, 7), "トムは本を9冊持っています。"),
        ("zh", change("stamps", 9, 8, 7), "汤姆有9张邮票。"),
        ("de", Problem("boxes", "Tom", "Anna", "hats", "bags", ("sells",), (2, 3, 4)), "In jeder Tasche sind 3 Hüte."),
        ("fr", Problem("together", "Sara", "Emma", "hats", "bags", ("more",), (5, 3)), "chapeaux ont-elles ensemble ?"),
        ("fr", Problem("together", "Omar", "Sara", "hats", "bags", ("more",), (5, 3)), "3 chapeaux de plus qu'Omar."),
    ],
)
def test_forms_agree(language: str, problem: Problem, text: str) -> None:
    assert text in question(problem, language)


def test_the_english_solution_restates_each_clause_with_its_sum() -> None:
    assert solution(change("oranges", 12, 5, 3), "en") == (
        "Tom has 12 oranges. Tom buys 5 oranges: 12+5=17. Tom gives 3 oranges to Anna: 17-3=14. The answer is 14."
    )


@pytest.mark.parametrize("language", GRAMMARS)
def test_every_word_of_every_problem_is_told_apart(language: str) -> None:
    """Two names, nouns, containers or actions with one form would make a translation ambiguous."""

    def text(who: str = "Tom", noun: str = "eggs", container: str = "boxes", action: str = "buys") -> str:
        problem = Problem("boxes", who, "Peter", noun, container, (action,), (3, 4, 5))  # type: ignore[arg-type]
        return question(problem, language)

    people = [name for name in NAMES if name != "Peter"]
    assert len({text(who=name) for name in people}) == len(people)
    assert len({text(noun=noun) for noun in NOUNS}) == len(NOUNS)
    assert len({text(container=container) for container in CONTAINERS}) == len(CONTAINERS)
    assert len({text(action=action) for action in (*GAINS, *LOSSES)}) == len(GAINS + LOSSES)
    assert set(FOOD) < set(NOUNS)

"""Agreement that a template gets wrong easily, in sentences whose right form is known."""

from typing import Any

import pytest

from slam_ray.demo.grammar import GRAMMARS, question, solution
from slam_ray.demo.problems import CONTAINERS, FOOD, GAINS, LOSSES, NAMES, NOUNS, WordProblem
from tests.corpora import cases


def problem(
    noun: str,
    numbers: list[int],
    scenario: Any = "change",
    who: str = "Tom",
    other: str = "Anna",
    container: str = "boxes",
    actions: Any = ("buys", "gives"),
) -> WordProblem:
    return WordProblem(scenario, who, other, noun, container, tuple(actions), tuple(numbers))


@pytest.mark.parametrize("case", cases("demo_grammar"), ids=str)
def test_forms_agree(case: dict[str, Any]) -> None:
    details = {key: value for key, value in case.items() if key not in ("language", "says")}
    assert case["says"] in question(problem(**details), case["language"])


def test_the_english_solution_restates_each_clause_with_its_sum() -> None:
    assert solution(problem("oranges", [12, 5, 3]), "en") == (
        "Tom has 12 oranges. Tom buys 5 oranges: 12+5=17. Tom gives 3 oranges to Anna: 17-3=14. The answer is 14."
    )


@pytest.mark.parametrize("language", GRAMMARS)
def test_every_word_of_every_problem_is_told_apart(language: str) -> None:
    """Two names, nouns, containers or actions with one form would make a translation ambiguous."""

    def text(who: str = "Tom", noun: str = "eggs", container: str = "boxes", action: str = "buys") -> str:
        return question(problem(noun, [3, 4, 5], "boxes", who, "Peter", container, [action]), language)

    people = [name for name in NAMES if name != "Peter"]
    assert len({text(who=name) for name in people}) == len(people)
    assert len({text(noun=noun) for noun in NOUNS}) == len(NOUNS)
    assert len({text(container=container) for container in CONTAINERS}) == len(CONTAINERS)
    assert len({text(action=action) for action in (*GAINS, *LOSSES)}) == len(GAINS + LOSSES)
    assert set(FOOD) < set(NOUNS)

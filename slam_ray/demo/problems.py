"""Two-step word problems before they are put into words: their structure and numbers, and the split of each.

Example: `WordProblem("change", "Tom", "Anna", "oranges", "boxes", ("buys", "gives"), (12, 5, 3))` says that Tom has 12
oranges, buys 5 and gives 3 to Anna: 12+5=17, 17-3=14. The grammars put it into words.
"""

import hashlib
import random
from dataclasses import dataclass
from typing import Literal

Scenario = Literal["change", "boxes", "share", "together"]
Change = Literal["buys", "finds", "gets", "gives", "sells", "loses", "eats"]
Comparison = Literal["more", "fewer"]
Clause = Literal["has", "containers", "each", "shares", "total"] | Change | Comparison
Ask = Literal["now", "each_gets", "both"]
Split = Literal["train", "dev", "test"]

NAMES = ("Anna", "Tom", "Maria", "David", "Sara", "Omar", "Emma", "Peter")
FOOD = ("oranges", "eggs", "bananas", "candies")
NOUNS = (*FOOD, "books", "pencils", "balls", "flowers", "stamps", "coins", "cups", "hats")
CONTAINERS = ("boxes", "bags")
GAINS: tuple[Change, ...] = ("buys", "finds", "gets")
LOSSES: tuple[Change, ...] = ("gives", "sells", "loses", "eats")
LARGEST = 60


@dataclass(frozen=True)
class Fact:
    """What one clause talks about; a clause uses only what it needs."""

    who: str
    other: str
    number: int
    noun: str
    container: str


@dataclass(frozen=True)
class SolutionStep:
    """One clause of a problem, with the sum that follows from it in the solution, if any."""

    clause: Clause
    fact: Fact
    sum: str | None = None


@dataclass(frozen=True)
class WordProblem:
    """A problem by its structure (scenario, actions), its numbers, and what it is about.

    Attributes:
        actions: two changes (`change`), one change (`boxes`, `share`) or one comparison (`together`).
        numbers: as the question names them, in order.
    """

    scenario: Scenario
    who: str
    other: str
    noun: str
    container: str
    actions: tuple[Change | Comparison, ...]
    numbers: tuple[int, ...]

    @property
    def ask(self) -> Ask:
        """The question at the end."""
        asks: dict[Scenario, Ask] = {"change": "now", "boxes": "now", "share": "each_gets", "together": "both"}
        return asks[self.scenario]

    @property
    def steps(self) -> list[SolutionStep]:
        """The clauses in order; those that are in the solution alone (`total`) included."""
        first, second, *rest = self.numbers
        if self.scenario == "change":
            middle = applied(self.actions[0], first, second)
            return [
                SolutionStep("has", self._fact(first)),
                SolutionStep(self.actions[0], self._fact(second), middle.text),
                SolutionStep(
                    self.actions[1], self._fact(rest[0]), applied(self.actions[1], middle.value, rest[0]).text
                ),
            ]
        if self.scenario == "boxes":
            product = first * second
            return [
                SolutionStep("containers", self._fact(first)),
                SolutionStep("each", self._fact(second), f"{first}*{second}={product}"),
                SolutionStep(self.actions[0], self._fact(rest[0]), applied(self.actions[0], product, rest[0]).text),
            ]
        if self.scenario == "share":
            middle = applied(self.actions[0], first, second)
            return [
                SolutionStep("has", self._fact(first)),
                SolutionStep(self.actions[0], self._fact(second), middle.text),
                SolutionStep("shares", self._fact(rest[0]), f"{middle.value}/{rest[0]}={middle.value // rest[0]}"),
            ]
        compared = applied(self.actions[0], first, second)
        return [
            SolutionStep("has", self._fact(first)),
            SolutionStep(self.actions[0], Fact(self.other, self.who, second, self.noun, self.container), compared.text),
            SolutionStep("total", self._fact(0), applied("more", first, compared.value).text),
        ]

    @property
    def answer(self) -> int:
        """The number asked for."""
        last = self.steps[-1].sum
        assert last is not None
        return int(last.rpartition("=")[2])

    @property
    def structure(self) -> str:
        """Scenario, signs and numbers: what a problem is but for its names, its nouns and which verb adds."""
        signs = "".join("+" if is_gain(action) else "-" for action in self.actions)
        return f"{self.scenario} {signs} {' '.join(map(str, self.numbers))}"

    @property
    def split(self) -> Split:
        """Where every problem of this structure belongs: 80 % train, 10 % dev, 10 % test."""
        tenth = hashlib.sha256(self.structure.encode()).digest()[0] * 10 // 256
        return "test" if tenth == 0 else "dev" if tenth == 1 else "train"

    def _fact(self, number: int) -> Fact:
        return Fact(self.who, self.other, number, self.noun, self.container)


@dataclass(frozen=True)
class Sum:
    """A sum in writing and its value."""

    text: str
    value: int


def is_gain(action: Change | Comparison) -> bool:
    """Whether the action adds."""
    return action in GAINS or action == "more"


def applied(action: Change | Comparison, before: int, number: int) -> Sum:
    """What `number` more or fewer makes of `before`."""
    after = before + number if is_gain(action) else before - number
    return Sum(f"{before}{'+' if is_gain(action) else '-'}{number}={after}", after)


def draw(random_: random.Random, split: Split) -> WordProblem:
    """A random problem of the split."""
    while True:
        problem = _draw_any(random_)
        if _sound(problem) and problem.split == split:
            return problem


def _draw_any(random_: random.Random) -> WordProblem:
    scenario: Scenario = random_.choices(("change", "boxes", "share", "together"), (50, 20, 15, 15))[0]
    who, other = random_.sample(NAMES, 2)
    noun = random_.choice(NOUNS)
    container = random_.choice(CONTAINERS)
    changes = [change for change in (*GAINS, *LOSSES) if change != "eats" or noun in FOOD]
    number = random_.randint
    actions: tuple[Change | Comparison, ...]
    numbers: tuple[int, ...]
    if scenario == "change":
        actions = tuple(random_.sample(changes, 2))
        numbers = (number(5, 50), number(2, 19), number(2, 19))
    elif scenario == "boxes":
        actions = (random_.choice(changes),)
        numbers = (number(2, 6), number(2, 9), number(2, 19))
    elif scenario == "share":
        actions = (random_.choice(changes),)
        numbers = (number(5, 50), number(2, 19), number(2, 6))
    else:
        actions = (random_.choice(("more", "fewer")),)
        numbers = (number(4, 30), number(2, 19))
    return WordProblem(scenario, who, other, noun, container, actions, numbers)


def _sound(problem: WordProblem) -> bool:
    """Whether every result is a whole number from 2 to LARGEST and a division has no remainder."""
    for step in problem.steps:
        if step.sum is None:
            continue
        terms, result = step.sum.split("=")
        if not 2 <= int(result) <= LARGEST:
            return False
        if "/" in terms:
            dividend, divisor = map(int, terms.split("/"))
            if dividend % divisor:
                return False
    return True

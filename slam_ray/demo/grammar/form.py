"""What a language gives: a template for each clause and question, and the word forms that fill it.

In the unspaced scripts (Thai, Japanese, Chinese) `|` marks the borders of words; the tokenizer reads them from here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from slam_ray.demo.problems import Ask, Clause, Fact, WordProblem

BORDER = "|"
Slots = dict[str, str]


@dataclass(frozen=True)
class Grammar:
    """One language.

    Attributes:
        clauses: template of every clause, without its end; `{n}` is the number, other slots are the language's own.
        asks: template of every question, with its mark.
        answer: template of the last sentence of a solution.
        slots: the word forms that a fact's templates may use.
        stop: what ends a sentence.
        colon: what stands between a clause and its sum.
        gap: what stands between two sentences.
    """

    clauses: dict[Clause, str]
    asks: dict[Ask, str]
    answer: str
    slots: Callable[[Fact], Slots]
    stop: str = "."
    colon: str = ": "
    gap: str = " "

    def question(self, problem: WordProblem) -> str:
        """The problem in words, `|` kept."""
        told = [self._say(self.clauses[step.clause], step.fact) for step in problem.steps if step.clause != "total"]
        asked = self._say(self.asks[problem.ask], problem.steps[0].fact)
        return self.gap.join([*(clause + self.stop for clause in told), asked])

    def solution(self, problem: WordProblem) -> str:
        """The chain of thought: each clause restated with its sum, then the answer; `|` kept."""
        said = []
        for step in problem.steps:
            clause = self._say(self.clauses[step.clause], step.fact)
            said.append(clause + (f"{self.colon}{step.sum}" if step.sum else "") + self.stop)
        said.append(self.answer.format(n=problem.answer) + self.stop)
        return self.gap.join(said)

    def _say(self, template: str, fact: Fact) -> str:
        return template.format(n=fact.number, **self.slots(fact))

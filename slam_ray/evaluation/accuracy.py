"""From marked responses to accuracy, its interval, PCR and averages (section 4.4; Figure 7 for PCR)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from slam_ray.config import ENGLISH
from slam_ray.corpora.records import Answer, Problem
from slam_ray.evaluation.extraction import ANY_LABEL, Extractor, extract, extractors_for, is_correct
from slam_ray.evaluation.labels import choices_of
from slam_ray.evaluation.statistics import wilson


@dataclass(frozen=True)
class Mark:
    """Whether one response is right by one extractor; `found` is the extracted answer, None without one."""

    id: str
    language: str
    extractor: Extractor
    found: Answer | None
    correct: bool


class LanguageScore(BaseModel):
    """One language by one extractor, all in percent.

    Attributes:
        n: number of problems.
        accuracy: share that is solved, with the 95 % Wilson interval `low` to `high`.
        pcr: share of the problems solved in English that is solved here too; None without English, or if none is
            solved there.
        unanswered: share of the responses in which the extractor found no answer, right or wrong.
    """

    n: int
    accuracy: float
    low: float
    high: float
    pcr: float | None
    unanswered: float


class ExtractorScores(BaseModel):
    """All languages by one extractor; `avg` is over all of them, `avg_non_en` over those other than English, if any."""

    languages: dict[str, LanguageScore]
    avg: float
    avg_non_en: float | None


class Scores(BaseModel):
    """A model's scores on a benchmark.

    Attributes:
        extractors: scores by each extractor; the first is the headline, to compare with scores in papers.
        cut: language -> percent of its responses that ended at the token limit.
        written: language -> language that its responses are written in (or "unclear") -> percent, most frequent first.
    """

    extractors: dict[Extractor, ExtractorScores]
    cut: dict[str, float]
    written: dict[str, dict[str, float]]

    @property
    def names(self) -> tuple[Extractor, ...]:
        """Both extractors, the headline first."""
        return tuple(self.extractors)

    @property
    def headline(self) -> ExtractorScores:
        """The scores to compare with those in papers."""
        return self.extractors[self.names[0]]


def mark(problem: Problem, response: str, label: Literal["last", "first"]) -> list[Mark]:
    """Mark the response to a problem by both extractors of its kind of answer, the headline first."""
    gold, language = problem.answer, problem.language
    choices = choices_of(problem.question) if isinstance(gold, str) else ANY_LABEL
    found = {name: extract(response, language, name, choices) for name in extractors_for(gold, label)}
    return [Mark(problem.id, language, name, answer, is_correct(answer, gold)) for name, answer in found.items()]


def score(
    marks: Iterable[Mark],
    languages: Sequence[str],
    cut: Mapping[str, float],
    written: Mapping[str, Mapping[str, float]],
) -> Scores:
    """Sum up the marks of a benchmark; `cut` and `written` are as in `Scores`."""
    marks = list(marks)
    names = dict.fromkeys(mark.extractor for mark in marks)
    return Scores(
        extractors={name: _score([mark for mark in marks if mark.extractor == name], languages) for name in names},
        cut=dict(cut),
        written={language: dict(shares) for language, shares in written.items()},
    )


def pcr(solved_in_english: Mapping[str, bool], solved: Mapping[str, bool]) -> float | None:
    """|correct in English and in X| / |correct in English| in percent, over the ids of both languages."""
    base = [id_ for id_, correct in solved_in_english.items() if correct and id_ in solved]
    return 100 * sum(solved[id_] for id_ in base) / len(base) if base else None


def _score(marks: Sequence[Mark], languages: Sequence[str]) -> ExtractorScores:
    solved: dict[str, dict[str, bool]] = {code: {} for code in languages}
    unanswered = Counter(item.language for item in marks if item.found is None)
    for item in marks:
        solved[item.language][item.id] = item.correct
    english = solved.get(ENGLISH, {})
    scores = {}
    for code, results in solved.items():
        n, correct = len(results), sum(results.values())
        low, high = wilson(correct, n)
        scores[code] = LanguageScore(
            n=n,
            accuracy=100 * correct / n,
            low=100 * low,
            high=100 * high,
            pcr=pcr(english, results),
            unanswered=100 * unanswered[code] / n,
        )
    others = [item.accuracy for code, item in scores.items() if code != ENGLISH]
    return ExtractorScores(
        languages=scores,
        avg=sum(item.accuracy for item in scores.values()) / len(scores),
        avg_non_en=sum(others) / len(others) if others else None,
    )

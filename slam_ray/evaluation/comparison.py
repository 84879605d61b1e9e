"""Two models on the same problems: differences in points, McNemar per language, paired bootstrap of the averages."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel

from slam_ray.config import ENGLISH, Section
from slam_ray.evaluation.accuracy import Mark, Scores
from slam_ray.evaluation.extraction import Extractor
from slam_ray.evaluation.scoring import read_marks
from slam_ray.evaluation.statistics import holm, mcnemar, paired_bootstrap
from slam_ray.store.step import Attempt, Input, Step

COMPARISON_FILE = "comparison.json"
# Raise it with every change that gives another comparison of the same marks.
COMPARE_VERSION = 2


class CompareConfig(Section):
    """How the intervals are drawn."""

    samples: int = 10_000
    seed: int = 0


class LanguageChange(BaseModel):
    """One language.

    Attributes:
        difference: points of accuracy gained.
        gained: problems.
        lost: problems.
        p: exact two-sided p of McNemar's test.
        p_holm: the same, corrected for the number of languages by Holm.
    """

    difference: float
    gained: int
    lost: int
    p: float
    p_holm: float


class AverageChange(BaseModel):
    """A change of the mean accuracy over languages in points, with its 95 % paired bootstrap interval."""

    difference: float
    low: float
    high: float


class ExtractorComparison(BaseModel):
    """The change by one extractor; `avg_non_en` is None where English is the only language."""

    languages: dict[str, LanguageChange]
    avg: AverageChange
    avg_non_en: AverageChange | None


class Comparison(BaseModel):
    """What changed from one model to another on a benchmark, by each extractor; the headline one is first."""

    extractors: dict[Extractor, ExtractorComparison]


def compare_step(before: Input[Scores], after: Input[Scores]) -> Step[Comparison]:
    """Compare two models that were scored on the same problems; the artifact's file is `comparison.json`."""
    config = CompareConfig()

    def run(attempt: Attempt) -> Comparison:
        old, new = attempt[before], attempt[after]
        comparison = compare(read_marks(old), read_marks(new), tuple(old.result.cut), config)
        text = comparison.model_dump_json(indent=1)
        (attempt.directory / COMPARISON_FILE).write_text(text + "\n", encoding="utf-8")
        return comparison

    return Step("compare", COMPARE_VERSION, config, {"before": before, "after": after}, Comparison, run)


def compare(
    before: Sequence[Mark], after: Sequence[Mark], languages: Sequence[str], config: CompareConfig
) -> Comparison:
    """Compare the marks of two models on the same problems."""
    return Comparison(
        extractors={
            name: _compare(
                [mark for mark in before if mark.extractor == name],
                [mark for mark in after if mark.extractor == name],
                languages,
                config,
            )
            for name in dict.fromkeys(mark.extractor for mark in before)
        }
    )


def _compare(
    before: Sequence[Mark], after: Sequence[Mark], languages: Sequence[str], config: CompareConfig
) -> ExtractorComparison:
    old = {(mark.id, mark.language): mark.correct for mark in before}
    new = {(mark.id, mark.language): mark.correct for mark in after}
    assert old.keys() == new.keys(), "the models did not answer the same problems"
    row_of = {id_: row for row, id_ in enumerate(sorted({id_ for id_, _ in old}))}
    change = np.zeros((len(row_of), len(languages)))
    exists = np.zeros(change.shape, dtype=np.bool_)  # whether a problem exists in a language
    for (id_, language), correct in old.items():
        cell = row_of[id_], languages.index(language)
        exists[cell] = True
        change[cell] = int(new[id_, language]) - int(correct)

    def average(columns: list[int]) -> AverageChange:
        part, problems = change[:, columns], exists[:, columns]
        low, high = paired_bootstrap(part, problems, config.samples, config.seed)
        difference = (part.sum(axis=0) / problems.sum(axis=0)).mean()
        return AverageChange(difference=100 * float(difference), low=100 * low, high=100 * high)

    changed = [(int(gained), int(lost)) for gained, lost in zip((change > 0).sum(0), (change < 0).sum(0), strict=True)]
    p = [mcnemar(gained, lost) for gained, lost in changed]
    changes = {
        language: LanguageChange(
            difference=100 * (gained - lost) / int(exists[:, column].sum()),
            gained=gained,
            lost=lost,
            p=p[column],
            p_holm=corrected,
        )
        for column, (language, (gained, lost), corrected) in enumerate(zip(languages, changed, holm(p), strict=True))
    }
    others = [column for column, language in enumerate(languages) if language != ENGLISH]
    return ExtractorComparison(
        languages=changes,
        avg=average(list(range(len(languages)))),
        avg_non_en=average(others) if others else None,
    )

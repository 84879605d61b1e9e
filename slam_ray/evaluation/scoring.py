"""The score step: the answer in every response, by both extractors, and the accuracy that they come to."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal

from slam_ray.config import EvaluationConfig, Section
from slam_ray.corpora import Prepared, Problem, read_problems
from slam_ray.evaluation.accuracy import Mark, Scores, mark, score
from slam_ray.evaluation.response_language import response_language
from slam_ray.evaluation.responses import GenerateResult, Response, read_responses
from slam_ray.store.artifact import Artifact
from slam_ray.store.step import Attempt, Input, Step

SCORES_FILE = "scores.json"
MARKS_FILE = "marks.parquet"
# Raise it with every change of the code that extracts or compares answers and gives another score of some response.
SCORE_VERSION = 3


class ScoreConfig(Section):
    """Which of a response's labels is its answer to a choice."""

    label: Literal["last", "first"]


def score_step(config: EvaluationConfig, problems: Input[Prepared], responses: Input[GenerateResult]) -> Step[Scores]:
    """Score the responses to a benchmark's problems.

    The artifact's files are `scores.json` and `marks.parquet`, one row a response and extractor.
    """

    def run(attempt: Attempt) -> Scores:
        scores, marks = score_responses(
            read_problems(attempt[problems]), read_responses(attempt[responses]), config.label
        )
        write_marks(attempt.directory / MARKS_FILE, marks)
        (attempt.directory / SCORES_FILE).write_text(scores.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return scores

    step_config = ScoreConfig(label=config.label)
    return Step("score", SCORE_VERSION, step_config, {"problems": problems, "responses": responses}, Scores, run)


def score_responses(
    problems: Iterable[Problem], responses: Iterable[Response], label: Literal["last", "first"] = "last"
) -> tuple[Scores, list[Mark]]:
    """The scores of a benchmark and the marks that they sum up; each problem has exactly one response."""
    by_key = {(problem.language, problem.id): problem for problem in problems}
    responses = list(responses)
    assert sorted(by_key) == sorted((response.language, response.id) for response in responses)
    marks = [
        item
        for response in responses
        for item in mark(by_key[response.language, response.id], response.response, label)
    ]
    problem_counts = Counter(language for language, _ in by_key)
    cut = Counter(response.language for response in responses if response.finish == "length")
    written = {code: Counter[str]() for code in problem_counts}
    for response in responses:
        written[response.language][response_language(response.response, response.language)] += 1
    written_shares = {
        code: {name: 100 * count / problem_counts[code] for name, count in counts.most_common()}
        for code, counts in written.items()
    }
    cut_shares = {code: 100 * cut[code] / count for code, count in problem_counts.items()}
    return score(marks, list(problem_counts), cut_shares, written_shares), marks


def read_marks(scores: Artifact[Scores]) -> list[Mark]:
    """The marks that scores sum up."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(scores.file(MARKS_FILE)).to_pylist()
    return [Mark(**row) for row in rows]


def write_marks(file: Path, marks: Iterable[Mark]) -> None:
    """Write marks as parquet; the answers in them are all numbers or all labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    marks = list(marks)
    numbers = any(isinstance(item.found, float) for item in marks)
    types = {"found": pa.float64() if numbers else pa.string(), "correct": pa.bool_()}
    schema = pa.schema([(field.name, types.get(field.name, pa.string())) for field in fields(Mark)])
    pq.write_table(pa.Table.from_pylist([asdict(item) for item in marks], schema=schema), file)

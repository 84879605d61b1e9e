"""What texts? Reading them, their languages, the prompts they are put into."""

from slam_ray.corpora.prepare import (
    Prepared,
    pairs_step,
    problems_step,
    questions_step,
    read_pairs,
    read_problems,
    read_questions,
)
from slam_ray.corpora.records import Pair, Problem, Question

__all__ = [
    "Pair",
    "Prepared",
    "Problem",
    "Question",
    "pairs_step",
    "problems_step",
    "questions_step",
    "read_pairs",
    "read_problems",
    "read_questions",
]

"""What texts? Reading them, their languages, the prompts they are put into."""

from slam_ray.corpora.leakage import leakage_step, validation_leakage_step
from slam_ray.corpora.prepare import english_step, pairs_step, problems_step, questions_step, validation_step
from slam_ray.corpora.prepared_files import (
    Prepared,
    read_dropped,
    read_held_out,
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
    "english_step",
    "leakage_step",
    "pairs_step",
    "problems_step",
    "questions_step",
    "read_dropped",
    "read_held_out",
    "read_pairs",
    "read_problems",
    "read_questions",
    "validation_leakage_step",
    "validation_step",
]

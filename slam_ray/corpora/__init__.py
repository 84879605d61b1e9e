"""What texts? Reading them, their languages, the prompts they are put into."""

from slam_ray.corpora.artifacts import (
    Prepared,
    read_dropped,
    read_held_out,
    read_pairs,
    read_problems,
    read_questions,
)
from slam_ray.corpora.prepare import choosing_step, english_step, pairs_step, problems_step, questions_step
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.unseen import Unseen, unseen_step

__all__ = [
    "Pair",
    "Prepared",
    "Problem",
    "Question",
    "Unseen",
    "choosing_step",
    "english_step",
    "pairs_step",
    "problems_step",
    "questions_step",
    "read_dropped",
    "read_held_out",
    "read_pairs",
    "read_problems",
    "read_questions",
    "unseen_step",
]

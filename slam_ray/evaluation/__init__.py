"""How well does a model reason in each language? Responses from vLLM engines, their answers, accuracy, comparison."""

from slam_ray.evaluation.accuracy import ExtractorScores, LanguageScore, Scores
from slam_ray.evaluation.comparison import Comparison, ExtractorComparison, compare_step
from slam_ray.evaluation.english_loss import EnglishLoss, english_loss_step
from slam_ray.evaluation.generation import generate_step
from slam_ray.evaluation.responses import GenerateResult, Response, read_answers, read_responses
from slam_ray.evaluation.scoring import score_step

__all__ = [
    "Comparison",
    "EnglishLoss",
    "ExtractorComparison",
    "ExtractorScores",
    "GenerateResult",
    "LanguageScore",
    "Response",
    "Scores",
    "compare_step",
    "english_loss_step",
    "generate_step",
    "read_answers",
    "read_responses",
    "score_step",
]

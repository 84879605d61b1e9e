"""How well does a model reason in each language? Generation in vLLM engines, extraction, accuracy, comparison."""

from slam_ray.evaluation.accuracy import ExtractorScores, LanguageScore, Scores
from slam_ray.evaluation.comparison import Comparison, ExtractorComparison, compare_step
from slam_ray.evaluation.generation import generate_step
from slam_ray.evaluation.responses import GenerateResult, Response, read_responses
from slam_ray.evaluation.scoring import score_step

__all__ = [
    "Comparison",
    "ExtractorComparison",
    "ExtractorScores",
    "GenerateResult",
    "LanguageScore",
    "Response",
    "Scores",
    "compare_step",
    "generate_step",
    "read_responses",
    "score_step",
]

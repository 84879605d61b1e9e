"""MGSM (benchmark of the paper): mgsm_<language>.tsv without a header; the same line is the same problem.

    Juma has 3 boxes of 12 pens. How many pens does he have?<TAB>36

On the Hub (juletxara/mgsm) a subset for each language, with `question` and `answer_number`.
"""

from pathlib import Path

from slam_ray.config import InputError
from slam_ray.corpora.formats.files import FoundParts, Subsets, named_files
from slam_ray.corpora.formats.layout import Format, numbered_problems, numbered_questions
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.records import Problem, Question
from slam_ray.corpora.tables import question_tab_answer

SPLIT = "test"


def _files(folder: Path, split: str | None, languages: Languages) -> FoundParts[Path]:
    if split not in (None, SPLIT):
        raise InputError(
            f"split {split!r}: MGSM's files are its split {SPLIT}; its exemplars to train on are on the Hub alone"
        )
    return named_files(folder, r"mgsm_(.+)\.tsv", languages)


FORMAT = Format(
    layout="mgsm_<language>.tsv",
    split=SPLIT,
    files=_files,
    parse=question_tab_answer,
    subsets=Subsets(),
    readers={
        Question: numbered_questions("question"),
        Problem: numbered_problems("question", "answer_number"),
    },
    row_number_ids=True,
)

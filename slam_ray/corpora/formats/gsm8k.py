"""GSM8K (what MGSM was translated from): <split>.jsonl, English alone.

    {"question": "Juma has 3 boxes of 12 pens ...", "answer": "3*12 = <<3*12=36>>36 pens.\\n#### 36"}

On the Hub (openai/gsm8k) in the subset "main". It repeats some questions; the first of them is taken.
"""

from collections.abc import Iterator
from pathlib import Path

from slam_ray.config import ENGLISH, SourceConfig
from slam_ray.corpora.formats.files import FoundParts
from slam_ray.corpora.formats.layout import Format, Parts, answered, cell, problem_id
from slam_ray.corpora.gold_answers import Gold
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.records import Problem, Question
from slam_ray.corpora.tables import json_objects

SPLIT = "train"


def _files(path: Path, split: str | None, languages: Languages) -> FoundParts[Path]:
    if not path.is_dir():
        return FoundParts({ENGLISH: path})
    splits = {file.stem: file for file in sorted(path.glob("*.jsonl"))}
    wanted = split or SPLIT
    return FoundParts({ENGLISH: splits[wanted]} if wanted in splits else {}, splits=tuple(splits))


def _questions(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Question]:
    for number, row in parts[ENGLISH].rows():
        question = cell(parts[ENGLISH], number, row, "question")
        yield Question(problem_id(question), ENGLISH, question)


def _problems(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Problem]:
    part = parts[ENGLISH]
    golds = [
        Gold(cell(part, number, row, "answer"), ENGLISH, f"{part.where(number)}: answer") for number, row in part.rows()
    ]
    return answered(list(_questions(parts, source, languages)), golds)


FORMAT = Format(
    layout="<split>.jsonl",
    split=SPLIT,
    files=_files,
    parse=json_objects,
    subsets={ENGLISH: "main"},
    readers={Question: _questions, Problem: _problems},
)

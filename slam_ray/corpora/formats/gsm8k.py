"""GSM8K (what MGSM was translated from): <split>.jsonl, English alone.

    {"question": "Juma has 3 boxes of 12 pens ...", "answer": "3*12 = <<3*12=36>>36 pens.\\n#### 36"}

On the Hub (openai/gsm8k) in the subset "main". It repeats some questions; the first of them is taken.
"""

from collections.abc import Iterator
from pathlib import Path

from slam_ray.config import ENGLISH, SourceConfig
from slam_ray.corpora.formats.layout import Format, Parts, cell, gold, problem_id
from slam_ray.corpora.records import Problem, Question
from slam_ray.corpora.tables import json_lines


def _files(path: Path, split: str) -> dict[str, Path]:
    return {ENGLISH: path / f"{split}.jsonl" if path.is_dir() else path}


def _questions(parts: Parts, source: SourceConfig) -> Iterator[Question]:
    for number, row in parts[ENGLISH].rows():
        question = cell(parts[ENGLISH], number, row, "question")
        yield Question(problem_id(question), ENGLISH, question)


def _problems(parts: Parts, source: SourceConfig) -> Iterator[Problem]:
    part = parts[ENGLISH]
    for number, row in part.rows():
        question = cell(part, number, row, "question")
        answer = cell(part, number, row, "answer").rpartition("####")[2].strip()
        yield Problem(problem_id(question), ENGLISH, question, gold(answer, f"{part.label}:{number}: answer"))


FORMAT = Format(
    layout="<split>.jsonl",
    split="train",
    files=_files,
    parse=json_lines,
    subsets={ENGLISH: "main"},
    readers={Question: _questions, Problem: _problems},
)

"""MSVAMP (benchmark of the paper): test_<Language>.json, JSON Lines; the same line is the same problem.

    {"m_query": "Juma ana kalamu 3 ...", "query": "Juma has 3 pens ...", "response": "8.0", "equation": "+ ..."}

On the Hub (Mathoctopus/MSVAMP) a subset for each language, with the same columns.
"""

import re
from dataclasses import replace
from pathlib import Path

from slam_ray.corpora.formats.files import FoundParts, Subsets, named_files
from slam_ray.corpora.formats.layout import Format, numbered_problems, numbered_questions
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.records import Problem, Question
from slam_ray.corpora.tables import json_objects

SPLIT = "test"


def _files(folder: Path, split: str | None, languages: Languages) -> FoundParts[Path]:
    found = named_files(folder, rf"{re.escape(split or SPLIT)}_(.+)\.json", languages)
    return replace(found, splits=tuple(sorted({file.name.partition("_")[0] for file in folder.glob("*_*.json")})))


FORMAT = Format(
    layout="test_<Language>.json",
    split=SPLIT,
    files=_files,
    parse=json_objects,
    subsets=Subsets(),
    readers={
        Question: numbered_questions("m_query"),
        Problem: numbered_problems("m_query", "response"),
    },
    row_number_ids=True,
)

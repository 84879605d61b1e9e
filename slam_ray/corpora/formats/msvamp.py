"""MSVAMP (benchmark of the paper): test_<Language>.json, JSON Lines; the same line is the same problem.

    {"m_query": "Juma ana kalamu 3 ...", "query": "Juma has 3 pens ...", "response": "8.0", "equation": "+ ..."}

On the Hub (Mathoctopus/MSVAMP) a subset for each language, with the same columns.
"""

import re

from slam_ray.corpora.formats.layout import Format, named_files, numbered_problems, numbered_questions
from slam_ray.corpora.languages import NAMES
from slam_ray.corpora.records import Problem, Question
from slam_ray.corpora.tables import json_lines

FORMAT = Format(
    layout="test_<Language>.json",
    split="test",
    files=lambda folder, split: named_files(
        folder, rf"{re.escape(split)}_(\w+)\.json", {name: code for code, name in NAMES.items()}
    ),
    parse=json_lines,
    subsets={code: code for code in NAMES},
    readers={
        Question: numbered_questions("m_query"),
        Problem: numbered_problems("m_query", "response"),
    },
    numbered=True,
)

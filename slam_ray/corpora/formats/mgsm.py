"""MGSM (benchmark of the paper): mgsm_<language>.tsv without a header; the same line is the same problem.

    Juma has 3 boxes of 12 pens. How many pens does he have?<TAB>36

On the Hub (juletxara/mgsm) a subset for each language, with `question` and `answer_number`.
"""

from slam_ray.corpora.formats.layout import Format, named_files, numbered_problems, numbered_questions
from slam_ray.corpora.languages import NAMES
from slam_ray.corpora.records import Problem, Question
from slam_ray.corpora.tables import question_tab_answer

FORMAT = Format(
    layout="mgsm_<language>.tsv",
    split="test",
    files=lambda folder, split: named_files(folder, r"mgsm_(\w+)\.tsv", {code: code for code in NAMES}),
    parse=question_tab_answer,
    subsets={code: code for code in NAMES},
    readers={
        Question: numbered_questions("question"),
        Problem: numbered_problems("question", "answer_number"),
    },
    numbered=True,
)

"""MGSM8KInstruct (what the paper trains on): MGSM8KInstruct_Parallel.json, GSM8K's training set in ten languages.

JSON Lines of instructions with their answers. The rows of a problem lie together, the English one first, and only
this order says that they belong together:

    {"prompt": "... in Swahili. ...\\n\\n### Instruction:\\nJuma ana ...\\n\\n### Response:", "chosen": "..."}

On the Hub (Mathoctopus/GSM8KInstruct_Parallel) the same rows. Not tried on the published file, which was not at hand.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from slam_ray.config import ENGLISH, InputError, SourceConfig
from slam_ray.corpora.formats.files import FoundParts
from slam_ray.corpora.formats.layout import Format, Parts, cell, problem_id
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.records import Pair, Question
from slam_ray.corpora.tables import json_objects

FILE = "MGSM8KInstruct_Parallel.json"
PROMPT = re.compile(r"\bin (\w+(?:[ -]\w+)*)\.[^#]*### Instruction:\n(.*?)\n\n### Response:", re.DOTALL)
SPLIT = "train"
MOST_STRAY = 0.01


class _Instruction(NamedTuple):
    language: str
    question: str
    answer: str


def _files(path: Path, split: str | None, languages: Languages) -> FoundParts[Path]:
    if split not in (None, SPLIT):
        raise InputError(f"split {split!r}: MGSM8KInstruct is a split {SPLIT} alone")
    return FoundParts({"": path / FILE if path.is_dir() else path})


def _instructions(parts: Parts, languages: Languages) -> Iterator[tuple[_Instruction, _Instruction]]:
    """Each row with the English row of its problem.

    A row whose language has occurred since the last English row does not belong to the problem of that row, and is
    left out. A language that is not known goes by the name that the row has for it.

    Raises:
        InputError: many rows would be left out, or a row names no language.
    """
    part, stray, number = parts[""], 0, 0
    languages_so_far: set[str] | None = None
    code = cache(lambda name: languages.code_of(name) or name)
    english = _Instruction("", "", "")
    for number, row in part.rows():
        found = PROMPT.search(cell(part, number, row, "prompt"))
        if found is None:
            raise InputError(f"{part.where(number)}: `prompt` must name its language and hold ### Instruction:")
        instruction = _Instruction(code(found[1]), found[2].strip(), cell(part, number, row, "chosen"))
        if instruction.language == ENGLISH:
            english, languages_so_far = instruction, set()
        if languages_so_far is None or instruction.language in languages_so_far:
            stray += 1
            continue
        languages_so_far.add(instruction.language)
        yield instruction, english
    if stray > MOST_STRAY * number:
        raise InputError(f"{part.label}: {stray} of {number} rows do not follow the English row of their problem")


def _questions(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Question]:
    for instruction, english in _instructions(parts, languages):
        yield Question(problem_id(english.question), instruction.language, instruction.question)


def _pairs(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Pair]:
    for instruction, english in _instructions(parts, languages):
        if instruction is not english:
            id_ = problem_id(english.question)
            yield Pair(id_, instruction.language, "question", instruction.question, english.question)
            yield Pair(id_, instruction.language, "answer", instruction.answer, english.answer)


FORMAT = Format(
    layout=FILE,
    split=SPLIT,
    files=_files,
    parse=json_objects,
    subsets={"": None},
    readers={Question: _questions, Pair: _pairs},
    rows_name_language=True,
)

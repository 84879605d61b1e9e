"""MGSM8KInstruct (what the paper trains on): MGSM8KInstruct_Parallel.json, GSM8K's training set in ten languages.

JSON Lines of instructions with their answers. The rows of a problem lie together, the English one first, and only
this order says that they belong together:

    {"prompt": "... in Swahili. ...\\n\\n### Instruction:\\nJuma ana ...\\n\\n### Response:", "chosen": "..."}

On the Hub (Mathoctopus/GSM8KInstruct_Parallel) the same rows. Not tried on the published file, which was not at hand.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from slam_ray.config import ENGLISH, InputError, SourceConfig
from slam_ray.corpora.formats.layout import Format, Parts, cell, problem_id
from slam_ray.corpora.languages import NAMES
from slam_ray.corpora.records import Pair, Question
from slam_ray.corpora.tables import json_lines

FILE = "MGSM8KInstruct_Parallel.json"
PROMPT = re.compile(r"\bin (\w+)\.[^#]*### Instruction:\n(.*?)\n\n### Response:", re.DOTALL)
CODES = {name: code for code, name in NAMES.items()}
MOST_STRAY = 0.01


class _Instruction(NamedTuple):
    language: str
    question: str
    answer: str


def _instructions(parts: Parts) -> Iterator[tuple[_Instruction, _Instruction]]:
    """Each row with the English row of its problem.

    A row whose language was there since the last English row does not belong to that one, and is left out.

    Raises:
        InputError: that is so for many rows, or a row names no language.
    """
    part, seen, stray, number = parts[""], set(NAMES), 0, 0
    english = _Instruction("", "", "")
    for number, row in part.rows():
        found = PROMPT.search(cell(part, number, row, "prompt"))
        if found is None or found[1] not in CODES:
            raise InputError(f"{part.label}:{number}: `prompt` must name its language and hold ### Instruction:")
        instruction = _Instruction(CODES[found[1]], found[2].strip(), cell(part, number, row, "chosen"))
        if instruction.language == ENGLISH:
            english, seen = instruction, set()
        if instruction.language in seen:
            stray += 1
            continue
        seen.add(instruction.language)
        yield instruction, english
    if stray > MOST_STRAY * number:
        raise InputError(f"{part.label}: {stray} of {number} rows do not follow the English row of their problem")


def _questions(parts: Parts, source: SourceConfig) -> Iterator[Question]:
    for instruction, english in _instructions(parts):
        yield Question(problem_id(english.question), instruction.language, instruction.question)


def _pairs(parts: Parts, source: SourceConfig) -> Iterator[Pair]:
    for instruction, english in _instructions(parts):
        if instruction is not english:
            id_ = problem_id(english.question)
            yield Pair(id_, instruction.language, "question", instruction.question, english.question)
            yield Pair(id_, instruction.language, "answer", instruction.answer, english.answer)


FORMAT = Format(
    layout=FILE,
    split="train",
    files=lambda path, split: {"": path / FILE if path.is_dir() else path},
    parse=json_lines,
    subsets={"": None},
    readers={Question: _questions, Pair: _pairs},
)

"""QAlign's question files: MGSM8KInstruct's questions, for each language line by line beside their English.

    gsmtrans/gsm8kinstruct_question/sw-en/train.sw      gsmtrans/gsm8kinstruct_question/sw-en/train.en

Each language lacks other problems, so a line's number says nothing; the English question does.
"""

from collections.abc import Iterator
from pathlib import Path

from slam_ray.config import ENGLISH, SourceConfig
from slam_ray.corpora.formats.layout import Format, Parts, aligned_lines, problem_id
from slam_ray.corpora.languages import NAMES
from slam_ray.corpora.records import Pair, Question
from slam_ray.corpora.tables import plain_lines


def _files(path: Path, split: str) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in sorted(path.rglob(f"*-{ENGLISH}")):
        language = folder.name.removesuffix(f"-{ENGLISH}")
        both = {language: folder / f"{split}.{language}", folder.name: folder / f"{split}.{ENGLISH}"}
        if language in NAMES and all(file.is_file() for file in both.values()):
            files |= both
    return files


def _pairs(parts: Parts, source: SourceConfig) -> Iterator[Pair]:
    for language in filter(NAMES.__contains__, parts):
        for text, english in aligned_lines(parts[language], parts[f"{language}-{ENGLISH}"]):
            yield Pair(problem_id(english), language, "question", text, english)


def _questions(parts: Parts, source: SourceConfig) -> Iterator[Question]:
    english: dict[str, str] = {}
    for pair in _pairs(parts, source):
        english.setdefault(pair.id, pair.english)
        yield Question(pair.id, pair.language, pair.source)
    for id_, question in english.items():
        yield Question(id_, ENGLISH, question)


FORMAT = Format(
    layout="<language>-en/<split>.<language> with <split>.en",
    split="train",
    files=_files,
    parse=plain_lines,
    subsets={},
    readers={Question: _questions, Pair: _pairs},
)

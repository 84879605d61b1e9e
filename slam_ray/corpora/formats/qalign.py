"""QAlign's question files: MGSM8KInstruct's questions, for each language line by line beside their English.

    gsmtrans/gsm8kinstruct_question/sw-en/train.sw      gsmtrans/gsm8kinstruct_question/sw-en/train.en

Each language lacks other problems, so a line's number says nothing; the English question does.
"""

from collections.abc import Iterator
from pathlib import Path

from slam_ray.config import ENGLISH, SourceConfig
from slam_ray.corpora.formats.files import FoundParts, by_language
from slam_ray.corpora.formats.layout import Format, Parts, aligned_lines, problem_id
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.records import Pair, Question
from slam_ray.corpora.tables import plain_lines

SPLIT = "train"


def _files(path: Path, split: str | None, languages: Languages) -> FoundParts[Path]:
    wanted = split or SPLIT
    sides = {
        language: (folder / f"{wanted}.{language}", folder / f"{wanted}.{ENGLISH}")
        for folder in sorted(path.rglob(f"*-{ENGLISH}"))
        if (language := folder.name.removesuffix(f"-{ENGLISH}"))
    }
    both = {language: files for language, files in sides.items() if all(file.is_file() for file in files)}
    found = by_language(both.items(), languages)
    parts: dict[str, Path] = {}
    for code, (theirs, english) in found.parts.items():
        parts |= {code: theirs, f"{code}-{ENGLISH}": english}
    splits = {file.stem for file in path.rglob(f"*-{ENGLISH}/*.{ENGLISH}")}
    return FoundParts(parts, tuple(theirs.parent for theirs, _ in found.unknown), tuple(sorted(splits)))


def _pairs(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Pair]:
    for language in parts:
        if f"{language}-{ENGLISH}" in parts:
            for text, english in aligned_lines(parts[language], parts[f"{language}-{ENGLISH}"]):
                yield Pair(problem_id(english), language, "question", text, english)


def _questions(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Question]:
    english: dict[str, str] = {}
    for pair in _pairs(parts, source, languages):
        english.setdefault(pair.id, pair.english)
        yield Question(pair.id, pair.language, pair.source)
    for id_, question in english.items():
        yield Question(id_, ENGLISH, question)


FORMAT = Format(
    layout="<language>-en/<split>.<language> with <split>.en",
    split=SPLIT,
    files=_files,
    parse=plain_lines,
    subsets={},
    readers={Question: _questions, Pair: _pairs},
)

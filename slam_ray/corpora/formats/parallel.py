"""Parallel sentences, a file for each language, aligned by line: FLORES-200 (in the paper's pairs) and NTREX.

    dev/swh_Latn.dev      dev/eng_Latn.dev                                  FLORES-200
    newstest2019-ref.swa.txt      newstest2019-src.eng.txt                  NTREX

On the Hub (openlanguagedata/flores_plus, after its consent) a subset for each language, with `text`; it calls Chinese
cmn_Hans. facebook/flores is a loading script, which `datasets` no longer runs. The files need neither.
FLORES-200 was not at hand: its files were not tried, those of NTREX were.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from slam_ray.config import ENGLISH, InputError, SourceConfig
from slam_ray.corpora.formats.files import FoundParts, Subsets, by_language, in_order
from slam_ray.corpora.formats.layout import Format, Parts, aligned_lines, problem_id
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.records import Pair, Question
from slam_ray.corpora.tables import plain_lines

SPLIT = "dev"
FLORES = r"(.+_[A-Z][a-z]{3})"
NTREX = r"newstest2019-(?:src|ref)\.(.+)\.txt"


def _files(folder: Path, split: str | None, languages: Languages) -> FoundParts[Path]:
    wanted = split or SPLIT
    files = [*sorted((folder / wanted).glob("*")), *sorted(folder.glob("*"))]
    matches = [(re.fullmatch(rf"{FLORES}\.{re.escape(wanted)}", file.name), file) for file in files]
    ntrex = [(re.fullmatch(NTREX, file.name), file) for file in files]
    if split is None:
        matches += ntrex
    elif any(match for match, _ in ntrex) and not any(match for match, _ in matches):
        raise InputError(f"split {split!r}: NTREX has no splits; leave `split` out")
    found = in_order(by_language(((match[1], file) for match, file in matches if match), languages, _code), languages)
    names = (re.fullmatch(rf"{FLORES}\.(\w+)", file.name) for file in (*folder.glob("*"), *folder.glob("*/*")))
    return FoundParts(found.parts, found.unknown, tuple(sorted({match[2] for match in names if match})))


def _code(languages: Languages, written: str) -> str | None:
    return "zh" if written == "zho-CN" else languages.code_of(written)


def _sentences(parts: Parts) -> Iterator[tuple[str, str, str]]:
    """Language, text and English of each sentence."""
    if ENGLISH not in parts:
        raise InputError(f"{next(iter(parts.values())).label}: English (eng_Latn, eng) is not beside it")
    for language, part in parts.items():
        for text, english in aligned_lines(part, parts[ENGLISH]):
            yield language, text, english


def _questions(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Question]:
    for language, text, english in _sentences(parts):
        yield Question(problem_id(english), language, text)


def _pairs(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Pair]:
    for language, text, english in _sentences(parts):
        if language != ENGLISH:
            yield Pair(problem_id(english), language, "question", text, english)


FORMAT = Format(
    layout="<split>/<language>_<Script>.<split>, newstest2019-ref.<language>.txt",
    split=SPLIT,
    files=_files,
    parse=plain_lines,
    subsets=Subsets(FLORES),
    readers={Question: _questions, Pair: _pairs},
)

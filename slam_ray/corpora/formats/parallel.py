"""Parallel sentences, a file for each language, aligned by line: FLORES-200 (in the paper's pairs) and NTREX.

    dev/swh_Latn.dev      dev/eng_Latn.dev                                  FLORES-200
    newstest2019-ref.swa.txt      newstest2019-src.eng.txt                  NTREX

On the Hub (openlanguagedata/flores_plus, after its consent) a subset for each language, with `text`; it calls Chinese
cmn_Hans. facebook/flores is a loading script, which `datasets` no longer runs. The files need neither.
FLORES-200 was not at hand: its files were not tried, those of NTREX were.
"""

from collections.abc import Iterator
from pathlib import Path

from slam_ray.config import ENGLISH, InputError, SourceConfig
from slam_ray.corpora.formats.layout import Format, Parts, aligned_lines, problem_id
from slam_ray.corpora.languages import LANGUAGES
from slam_ray.corpora.records import Pair, Question
from slam_ray.corpora.tables import plain_lines


def _files(folder: Path, split: str) -> dict[str, Path]:
    candidates = {
        code: (
            folder / split / f"{language.flores}.{split}",
            folder / f"{language.flores}.{split}",
            folder / f"newstest2019-{'src' if code == ENGLISH else 'ref'}.{language.ntrex}.txt",
        )
        for code, language in LANGUAGES.items()
    }
    return {code: file for code, files in candidates.items() for file in files if file.is_file()}


def _sentences(parts: Parts) -> Iterator[tuple[str, str, str]]:
    """Language, text and English of each sentence."""
    if ENGLISH not in parts:
        raise InputError(f"{next(iter(parts.values())).label}: English ({LANGUAGES[ENGLISH].flores}) is not beside it")
    for language, part in parts.items():
        for text, english in aligned_lines(part, parts[ENGLISH]):
            yield language, text, english


def _questions(parts: Parts, source: SourceConfig) -> Iterator[Question]:
    for language, text, english in _sentences(parts):
        yield Question(problem_id(english), language, text)


def _pairs(parts: Parts, source: SourceConfig) -> Iterator[Pair]:
    for language, text, english in _sentences(parts):
        if language != ENGLISH:
            yield Pair(problem_id(english), language, "question", text, english)


FORMAT = Format(
    layout="<split>/<language>_<Script>.<split>, newstest2019-ref.<language>.txt",
    split="dev",
    files=_files,
    parse=plain_lines,
    subsets={code: language.flores.replace("zho_", "cmn_") for code, language in LANGUAGES.items()},
    readers={Question: _questions, Pair: _pairs},
)

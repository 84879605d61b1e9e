"""XCSQA (common sense, appendix C): X-CSQA/<language>/<split>.jsonl, a stem with five labelled choices.

    {"id": "4f0c", "lang": "en", "question": {"stem": "Where is a pen kept?", "choices": [{"label": "A", "text": ...}]},
     "answerKey": "A"}

On the Hub (INK-USC/xcsr) a subset X-CSQA-<language> for each, with the choices as one list of labels and one of texts.
The choices are laid out in the question's text, each with its label in brackets, as the answer is looked for. The
labels of the test split are not published (their key is empty): it is for counting and training, `validation` for
scoring, as in the paper. Not tried on the published files, which were not at hand.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slam_ray.config import ENGLISH, InputError, SourceConfig
from slam_ray.corpora.formats.layout import Format, Parts, whole
from slam_ray.corpora.languages import NAMES
from slam_ray.corpora.parts import Part
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.tables import json_lines

THEIRS = {code: {"ja": "jap"}.get(code, code) for code in NAMES}


def _files(path: Path, split: str) -> dict[str, Path]:
    name = {"validation": "dev"}.get(split, split) + ".jsonl"
    folders = [
        folder for folder in (path, path / "X-CSQA", *path.glob("*/X-CSQA")) if (folder / ENGLISH / name).is_file()
    ]
    return {
        code: file
        for folder in folders[:1]
        for code, theirs in THEIRS.items()
        if (file := folder / theirs / name).is_file()
    }


def _laid_out(part: Part) -> Iterator[tuple[str, str, str]]:
    """Id, text and the right choice's label of each question."""
    for number, row in part.rows():
        try:
            stem, choices = row["question"]["stem"], row["question"]["choices"]
            texts = dict(_labelled(choices))
            text = "\n".join([stem.strip(), *(f"({label}) {texts[label]}" for label in sorted(texts))])
            id_, label = _plain(row["id"]), _plain(row.get("answerKey", ""))
        # ValueError: not as many labels as texts.
        except (KeyError, TypeError, AttributeError, ValueError):
            raise InputError(f"{part.label}:{number}: needs an id and a question with its stem and choices") from None
        yield whole(id_, f"{part.label}:{number}: id"), whole(text, f"{part.label}:{number}: question"), label


def _plain(value: Any) -> str:
    if not isinstance(value, str | int):
        raise TypeError(value)
    return str(value)


def _labelled(choices: Any) -> Iterator[tuple[str, str]]:
    if isinstance(choices, dict):
        return zip(choices["label"], choices["text"], strict=True)
    return ((choice["label"], choice["text"]) for choice in choices)


def _questions(parts: Parts, source: SourceConfig) -> Iterator[Question]:
    for language, part in parts.items():
        for id_, text, _ in _laid_out(part):
            yield Question(id_, language, text)


def _problems(parts: Parts, source: SourceConfig) -> Iterator[Problem]:
    for language, part in parts.items():
        for id_, text, label in _laid_out(part):
            if f"({label})" not in text:
                raise InputError(
                    f"{part.label}: problem {id_} has no right choice (answerKey {label!r}); score on split: validation"
                )
            yield Problem(id_, language, text, label)


def _pairs(parts: Parts, source: SourceConfig) -> Iterator[Pair]:
    english = {id_: text for id_, text, _ in _laid_out(parts[ENGLISH])}
    for question in _questions(parts, source):
        if question.language != ENGLISH and question.id in english:
            yield Pair(question.id, question.language, "question", question.question, english[question.id])


FORMAT = Format(
    layout="X-CSQA/<language>/<split>.jsonl",
    split="test",
    files=_files,
    parse=json_lines,
    subsets={code: f"X-CSQA-{theirs}" for code, theirs in THEIRS.items()},
    readers={Question: _questions, Pair: _pairs, Problem: _problems},
    choices=True,
)

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
from slam_ray.corpora.formats.files import FoundParts, Subsets, by_language, in_order
from slam_ray.corpora.formats.layout import Format, Parts, checked_text
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.parts import Part
from slam_ray.corpora.records import Pair, Problem, Question
from slam_ray.corpora.tables import json_objects

SPLIT = "test"


def _files(path: Path, split: str | None, languages: Languages) -> FoundParts[Path]:
    wanted = split or SPLIT
    name = {"validation": "dev"}.get(wanted, wanted) + ".jsonl"
    folders = [path, path / "X-CSQA", *sorted(path.glob("*/X-CSQA"))]
    folder = next((folder for folder in folders if (folder / ENGLISH / name).is_file()), None)
    if folder is None:
        splits = {file.stem for each in folders for file in each.glob(f"{ENGLISH}/*.jsonl")}
        return FoundParts({}, splits=tuple(sorted(splits)))
    files = ((file.parent.name, file) for file in sorted(folder.glob(f"*/{name}")))
    return in_order(by_language(files, languages, _code), languages)


def _code(languages: Languages, written: str) -> str | None:
    return "ja" if written == "jap" else languages.code_of(written)


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
            raise InputError(f"{part.where(number)}: needs an id and a question with its stem and choices") from None
        yield (
            checked_text(part, number, id_, "id"),
            checked_text(part, number, text, "question"),
            checked_text(part, number, label, "answerKey"),
        )


def _plain(value: Any) -> str:
    if not isinstance(value, str | int):
        raise TypeError(value)
    return str(value)


def _labelled(choices: Any) -> Iterator[tuple[str, str]]:
    if isinstance(choices, dict):
        return zip(choices["label"], choices["text"], strict=True)
    return ((choice["label"], choice["text"]) for choice in choices)


def _questions(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Question]:
    for language, part in parts.items():
        for id_, text, _ in _laid_out(part):
            yield Question(id_, language, text)


def _problems(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Problem]:
    for language, part in parts.items():
        for id_, text, label in _laid_out(part):
            if f"({label})" not in text:
                raise InputError(
                    f"{part.label}: problem {id_} has no right choice (answerKey {label!r}); score on split: validation"
                )
            yield Problem(id_, language, text, label)


def _pairs(parts: Parts, source: SourceConfig, languages: Languages) -> Iterator[Pair]:
    english = {id_: text for id_, text, _ in _laid_out(parts[ENGLISH])}
    for question in _questions(parts, source, languages):
        if question.language != ENGLISH and question.id in english:
            yield Pair(question.id, question.language, "question", question.question, english[question.id])


FORMAT = Format(
    layout="X-CSQA/<language>/<split>.jsonl",
    split=SPLIT,
    files=_files,
    parse=json_objects,
    subsets=Subsets("X-CSQA-(.+)", _code),
    readers={Question: _questions, Pair: _pairs, Problem: _problems},
    multiple_choice=True,
)

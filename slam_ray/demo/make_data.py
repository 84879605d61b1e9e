"""Write the demo's data, the same every time: `python -m slam_ray.demo.make_data [--out DIR]`.

Questions and pairs come from training problems. No file holds a problem twice; those of dev and of test differ
in their structure or numbers as well.
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

from slam_ray.config import ENGLISH
from slam_ray.demo.grammar import GRAMMARS, question, solution
from slam_ray.demo.problems import Split, WordProblem, draw

DATA = Path(__file__).parent / "data"
QUESTIONS, PAIRS, DEV, TEST = 500, 12_000, 100, 250
ANSWERS_IN_TEN = 4  # pairs of answers; the others are of questions
# What the random draws start from. The first draw of test problems was looked at while an earlier base was made.
SEEDS: dict[Split, str] = {"train": "slam_ray demo train", "dev": "slam_ray demo dev", "test": "slam_ray demo test 2"}
Record = dict[str, str | int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DATA)
    write(parser.parse_args().out)


def write(directory: Path) -> None:
    """Write questions.jsonl, pairs.jsonl, dev.jsonl and test.jsonl."""
    directory.mkdir(parents=True, exist_ok=True)
    train = distinct("train", QUESTIONS + PAIRS)
    files = {
        "questions": _questions(train[:QUESTIONS]),
        "pairs": _pairs(train[QUESTIONS:]),
        "dev": _benchmark("dev", distinct("dev", DEV)),
        "test": _benchmark("test", distinct("test", TEST)),
    }
    for name, records in files.items():
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (directory / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def distinct(split: Split, count: int) -> list[WordProblem]:
    """Problems of a split, no two alike in English (train), in structure and numbers (dev and test)."""
    random_ = random.Random(SEEDS[split])
    found: dict[str, WordProblem] = {}
    while len(found) < count:
        problem = draw(random_, split)
        found.setdefault(question(problem, ENGLISH) if split == "train" else problem.structure, problem)
    return list(found.values())


def _questions(problems: list[WordProblem]) -> Iterator[Record]:
    for number, problem in enumerate(problems):
        for language in GRAMMARS:
            yield {"id": f"question-{number:03}", "language": language, "question": question(problem, language)}


def _pairs(problems: list[WordProblem]) -> Iterator[Record]:
    """One pair a problem; the languages alternate, and of each ten pairs of a language four are answers."""
    foreign = [language for language in GRAMMARS if language != ENGLISH]
    for number, problem in enumerate(problems):
        row, column = divmod(number, len(foreign))
        kind, text = ("answer", solution) if row % 10 < ANSWERS_IN_TEN else ("question", question)
        language = foreign[column]
        yield {
            "id": f"pair-{number:05}",
            "language": language,
            "kind": kind,
            "source": text(problem, language),
            "english": text(problem, ENGLISH),
        }


def _benchmark(split: Split, problems: list[WordProblem]) -> Iterator[Record]:
    for number, problem in enumerate(problems):
        for language in GRAMMARS:
            yield {
                "id": f"{split}-{number:03}",
                "language": language,
                "question": question(problem, language),
                "answer": problem.answer,
            }


if __name__ == "__main__":
    main()

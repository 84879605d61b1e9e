"""The split of a local folder: it selects files, or is refused where it means nothing; several are never mixed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slam_ray.config import InputError, SourceConfig
from slam_ray.corpora import Problem, Question
from slam_ray.corpora.formats.files import split_named
from tests.corpora import cases, records
from tests.published import FIXTURES

CASES = cases("splits")


def rows(*ids: str) -> list[dict[str, Any]]:
    return [{"id": id_, "language": "en", "question": f"How many is {id_}?", "answer": 3} for id_ in ids]


def table(file: Path, *ids: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows(*ids)), file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows(*ids)))
    return file


def ids(path: Path, split: str | None = None, format_: str = "records", kind: Any = Problem) -> list[str]:
    source = SourceConfig(path=str(path), split=split, format=format_)
    return [record.id for record in records(source, kind, "corpora.benchmarks.mine")]


def refused(path: Path, split: str | None, *parts: str, format_: str = "records", kind: Any = Problem) -> None:
    with pytest.raises(InputError) as caught:
        ids(path, split, format_, kind)
    for part in ("corpora.benchmarks.mine", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize("case", CASES["folders"], ids=str)
def test_a_split_takes_the_files_that_are_named_for_it(tmp_path: Path, case: Mapping[str, Any]) -> None:
    for name in case["files"]:
        table(tmp_path / name, name)
    read = ids(tmp_path, case["split"])
    assert len(read) == len(case["read"])
    assert all(id_.startswith(start) for id_, start in zip(read, case["read"], strict=True))


def test_a_split_that_is_not_there_is_refused_and_those_that_are_named(tmp_path: Path) -> None:
    for name in ("train.jsonl", "test_1.jsonl", "test_2.jsonl"):
        table(tmp_path / name, name)
    refused(tmp_path, "nonsense", "'nonsense'", "test (test_1.jsonl ...), train (train.jsonl)")
    refused(tmp_path, "validation", "'validation'", "train (train.jsonl)")


def test_a_split_of_files_that_are_named_for_none_is_refused(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        table(tmp_path / name, name)
    assert ids(tmp_path) == ["a.jsonl", "b.jsonl"]
    refused(tmp_path, "test", "none of its tables is named for a split", "leave `split` out")


def test_files_of_several_splits_are_not_read_together(tmp_path: Path) -> None:
    for name in ("train.jsonl", "test.jsonl"):
        table(tmp_path / name, "1")
    refused(tmp_path, None, "say with `split`", "test (test.jsonl), train (train.jsonl)")
    clone = table(tmp_path / "clone" / "data" / "train-00000-of-00001.parquet", "1").parent.parent
    refused(clone, None, "say with `split`", "train (data/train-00000-of-00001.parquet)")
    one = table(tmp_path / "one" / "test-1.jsonl", "1").parent
    table(one / "test-2.jsonl", "2")
    assert ids(one) == ids(one, "test") == ["1", "2"]


def test_the_split_of_a_single_file_is_its_own_or_refused(tmp_path: Path) -> None:
    assert ids(table(tmp_path / "test.jsonl", "1"), "test") == ["1"]
    refused(table(tmp_path / "train.jsonl", "1"), "test", "train.jsonl is a file of split 'train', not of 'test'")
    refused(table(tmp_path / "mine.jsonl", "1"), "test", "mine.jsonl is one file", "leave `split` out")
    assert ids(FIXTURES / "gsm8k" / "test.jsonl", "test", "gsm8k", Problem)
    refused(FIXTURES / "gsm8k" / "test.jsonl", "train", "is a file of split 'test'", format_="gsm8k")


@pytest.mark.parametrize(("format_", "folder", "split", "parts"), CASES["lacking"])
def test_published_files_without_the_split(format_: str, folder: str, split: str | None, parts: Sequence[str]) -> None:
    refused(FIXTURES / folder, split, *parts, format_=format_, kind=Question)


def test_the_same_id_in_two_files_is_named_with_both(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        table(tmp_path / name, "0", "1")
    with pytest.raises(InputError, match=r"b\.jsonl:1: repeats 0 en of .*a\.jsonl:1; both are read"):
        ids(tmp_path)


@pytest.mark.parametrize(("name", "split"), CASES["names"])
def test_words_for_a_split_in_a_name(name: str, split: str | None) -> None:
    assert split_named(Path("data") / name) == split

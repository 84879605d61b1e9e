"""Files as they are really saved: byte order marks, carriage returns, gzip, arrays; what cannot be read is named."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slam_ray.config import InputError, SourceConfig
from slam_ray.corpora import Pair, Problem, Question
from slam_ray.corpora.formats.layout import problem_id
from slam_ray.corpora.tables import by_ending, plain_lines, question_tab_answer, reach
from tests.corpora import cases, records, source

MARK = b"\xef\xbb\xbf"
ROW: dict[str, Any] = {"id": "1", "language": "sw", "question": "Ana kuku 3. Ngapi?", "answer": 3}
LINE = json.dumps(ROW).encode()
TEXTS = {
    "line": LINE.decode(),
    "indented": json.dumps(ROW, indent=1),
    "names": ",".join(ROW),
    "values": ",".join(map(str, ROW.values())),
}
PACKED: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}
CASES = cases("tables")


def problems(file: Path, **more: Any) -> list[Any]:
    return records(SourceConfig(path=str(file), **more), Problem)


def short(case: Mapping[str, Any]) -> str:
    """For the name of a test."""
    return f"{case['file']} {case['text']!r}"[:60]


def saved_case(folder: Path, case: Mapping[str, Any]) -> Path:
    content = Template(case["text"]).substitute(TEXTS).encode(case.get("encoding", "utf-8"))
    content = PACKED[case["packed"]](content) if "packed" in case else content
    return saved(folder, case["file"], content[: len(content) - case.get("cut", 0)])


def saved(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("case", CASES["read"], ids=short)
def test_the_same_record_in_every_form(tmp_path: Path, case: Mapping[str, Any]) -> None:
    assert problems(saved_case(tmp_path, case)) == [Problem("1", "sw", "Ana kuku 3. Ngapi?", 3.0)]


def test_numbers_of_parquet_are_numbers(tmp_path: Path) -> None:
    columns = {name: [value] for name, value in {**ROW, "id": 1}.items()}
    pq.write_table(pa.table({**columns, "answer": pa.array([Decimal("2.50")])}), tmp_path / "a.PARQUET")
    assert problems(tmp_path / "a.PARQUET") == [Problem("1", "sw", "Ana kuku 3. Ngapi?", 2.5)]


def test_a_folder_of_tables_is_known_by_what_they_hold(tmp_path: Path) -> None:
    saved(tmp_path, "a.JSONL", LINE)
    saved(tmp_path, "b.jsonl.gz", gzip.compress(json.dumps({**ROW, "id": 2}).encode()))
    saved(tmp_path, "c.txt", b"not a table")
    assert [record.id for record in problems(tmp_path)] == ["1", "2"]
    assert list(source(str(tmp_path)).parts) == ["0.jsonl", "1.jsonl"]


@pytest.mark.parametrize("case", CASES["refused"], ids=short)
def test_what_cannot_be_read_is_named(tmp_path: Path, case: Mapping[str, Any]) -> None:
    file = saved_case(tmp_path, case)
    with pytest.raises(InputError) as caught:
        problems(file)
    assert case["said"] in str(caught.value)
    assert str(file) in str(caught.value)


def test_an_integer_without_end_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jsonl:2: not JSON"):
        problems(saved(tmp_path, "a.jsonl", LINE + b'\n{"id": ' + b"9" * 5000 + b"}"))


def test_what_is_unpacked_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved(tmp_path, "a.jsonl.gz", gzip.compress(LINE + b"\n" * 3000))
    assert len(problems(file)) == 1
    monkeypatch.setattr("slam_ray.corpora.tables.MOST_BYTES", 2000)
    with pytest.raises(InputError, match=r"a\.jsonl\.gz is over 1 GiB unpacked"):
        problems(file)


@pytest.mark.parametrize(("parse", "tail"), [(plain_lines, ""), (question_tab_answer, "\t3")])
def test_lines_without_their_marks_and_ends(tmp_path: Path, parse: Callable[[Path], Any], tail: str) -> None:
    text = f"Ana kuku.\u2028Ngapi?{tail}"
    values = [list(row.values()) for _, row in parse(saved(tmp_path, "a", f"{text}\n{text}\n".encode()))]
    assert values[0] == [*text.split("\t")]
    for content in (f"\ufeff{text}\r\n{text}\r\n", f"{text}\r\r\n\ufeff{text}"):
        assert [list(row.values()) for _, row in parse(saved(tmp_path, "a", content.encode()))] == values
    with pytest.raises(InputError, match=r"a:1: a carriage return inside a line; end lines in a line feed"):
        list(parse(saved(tmp_path, "a", f"{text}\r{text}\r".encode())))
    with pytest.raises(InputError, match=r"a is UTF-16; save it as UTF-8"):
        list(parse(saved(tmp_path, "a", text.encode("utf-16"))))
    with pytest.raises(InputError, match=r"a:2: holds a NUL"):
        list(parse(saved(tmp_path, "a", f"{text}\n\0{text}".encode())))


def test_texts_end_their_lines_in_line_feeds(tmp_path: Path) -> None:
    row = {**ROW, "question": "Ana kuku 3.\r\nNgapi?\rSema."}
    (question,) = records(str(saved(tmp_path, "a.jsonl", json.dumps(row).encode())), Question)
    assert question.question == "Ana kuku 3.\nNgapi?\nSema."


def published(folder: Path, mark: bytes) -> dict[str, SourceConfig]:
    """Layouts of plain lines, whose first line begins with `mark` in the file of one language."""
    texts = {
        "en": b"Rain fell.\nIt was cold.\n",
        "sw": b"Mvua ilinyesha.\nKulikuwa na baridi.\n",
        "fr": b"Il pleut.\nFroid.\n",
    }
    codes = {"en": "eng_Latn", "sw": "swh_Latn", "fr": "fra_Latn"}
    for code, text in texts.items():
        saved(folder, f"{codes[code]}.dev", (mark if code == "en" else b"") + text)
        if code != "en":
            (folder / f"{code}-en").mkdir()
            saved(folder / f"{code}-en", f"train.{code}", text)
            saved(folder / f"{code}-en", "train.en", (mark if code == "sw" else b"") + texts["en"])
    return {name: SourceConfig(path=str(folder), format=name) for name in ("parallel", "qalign")}


@pytest.mark.parametrize("format_", ["parallel", "qalign"])
def test_a_mark_changes_neither_text_nor_id(tmp_path: Path, format_: str) -> None:
    for name, mark in (("plain", b""), ("marked", MARK)):
        (tmp_path / name).mkdir()
        pairs = records(published(tmp_path / name, mark)[format_], Pair)
        assert {pair.english for pair in pairs} == {"Rain fell.", "It was cold."}
        assert {pair.id for pair in pairs} == {problem_id("Rain fell."), problem_id("It was cold.")}


def test_gold_answers_of_published_layouts_are_read_by_rule(tmp_path: Path) -> None:
    saved(tmp_path, "mgsm_de.tsv", b"Wie viel?\t2,5\nWie viele?\t1,234\n")
    saved(
        tmp_path,
        "test_German.json",
        b'{"m_query": "Wie viel?", "response": "0,75"}\n{"m_query": "Und?", "response": 1.234}\n',
    )
    saved(tmp_path, "train.jsonl", b'{"question": "How much?", "answer": "Half of 5.\\n#### 2,5"}\n')
    found = {name: problems(tmp_path, format=name) for name in ("mgsm", "msvamp", "gsm8k")}
    assert {name: [problem.answer for problem in each] for name, each in found.items()} == {
        "mgsm": [2.5, 1.234], "msvamp": [0.75, 1.234], "gsm8k": [2.5]
    }  # fmt: skip
    saved(tmp_path, "mgsm_de.tsv", b"Wie viele?\t1.234\n")
    with pytest.raises(InputError, match=r"mgsm_de\.tsv:1: answer: 1\.234 may be 1234 or 1\.234"):
        problems(tmp_path, format="mgsm")
    saved(tmp_path, "test_German.json", b'{"m_query": "Wie viel?"}\n')
    with pytest.raises(InputError, match=r"test_German\.json:1: no column 'response'; it has m_query"):
        problems(tmp_path, format="msvamp")


def test_published_json_may_be_one_array(tmp_path: Path) -> None:
    rows = [{"m_query": f"Ngapi {number}?", "query": "?", "response": f"{number}.0"} for number in (1, 2)]
    saved(tmp_path, "test_Swahili.json", json.dumps(rows, indent=2).encode())
    saved(tmp_path, "test_English.json", json.dumps(rows).encode())
    read = problems(tmp_path, format="msvamp")
    assert sorted((problem.language, problem.id, problem.answer) for problem in read) == [
        ("en", "1", 1.0), ("en", "2", 2.0), ("sw", "1", 1.0), ("sw", "2", 2.0)
    ]  # fmt: skip
    saved(tmp_path, "test_English.json", json.dumps([rows[0], {**rows[1], "response": "two"}], indent=2).encode())
    with pytest.raises(InputError, match=r"test_English\.json, element 2: answer must be a number, got 'two'"):
        problems(tmp_path, format="msvamp")


def test_an_id_by_the_english_question_is_what_it_was() -> None:
    assert problem_id("Juma ana  kalamu 12?") == "b99f8b80bb412192"


def test_keys_reach_into_objects_and_lists() -> None:
    row = {"resps": [["5"]], "a.b": 1, "a": {"b": 2, "c": {"0": 3}}, "turns": [{"text": "x"}, {"text": "y"}]}
    reached = [reach(row, key) for key in ("resps.0.0", "a.b", "a.c.0", "turns.-1.text")]
    assert reached == ["5", 1, 3, "y"]
    for key in ("resps.1", "resps.x", "resps.0.0.0", "a.d", "b", "", "turns.text"):
        with pytest.raises(KeyError):
            reach(row, key)


def test_a_row_is_numbered_by_its_line(tmp_path: Path) -> None:
    assert [number for number, _ in by_ending(saved(tmp_path, "a", b"\n" + LINE + b"\n\n" + LINE))] == [2, 4]

"""Files as they are really saved: byte order marks, carriage returns, gzip, arrays; what cannot be read is named."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slam_ray.config import InputError, SourceConfig
from slam_ray.corpora import Pair, Problem, Question
from slam_ray.corpora.formats.layout import problem_id
from slam_ray.corpora.sources import opened, read
from slam_ray.corpora.tables import by_ending, json_objects, plain_lines, question_tab_answer, reach

MARK = b"\xef\xbb\xbf"
ROW: dict[str, Any] = {"id": "1", "language": "sw", "question": "Ana kuku 3. Ngapi?", "answer": 3}
LINE = json.dumps(ROW).encode()
NAMES, VALUES = ",".join(ROW), ",".join(map(str, ROW.values()))


def records(file: Path, kind: Any = Problem, **more: Any) -> list[Any]:
    return read(opened(SourceConfig(path=str(file), **more), "corpora.own", {}), kind).records


def short(value: str | bytes) -> str:
    """For the name of a test."""
    return repr(value)[1:40]


def saved(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINE),
        ("a.JSONL", MARK + LINE + b"\r\n\r\n"),
        ("a.ndjson", LINE),
        ("a", MARK + LINE),
        ("a.json", b"[" + LINE + b"]"),
        ("a.json", MARK + b"\r\n [\r\n" + json.dumps(ROW, indent=1).encode() + b"\r\n]\r\n"),
        ("a.jsonl", b"[" + LINE + b"]"),
        ("a.jsonl", json.dumps({**ROW, "id": 1, "answer": "3"}).encode()),
        ("a.jsonl", json.dumps({**ROW, "answer": "1 + 2 = <<1+2=3>>3\n#### 3"}).encode()),
        ("a.jsonl", json.dumps({**ROW, "question": "\ufeff" + ROW["question"]}).encode()),
        ("a.jsonl.gz", gzip.compress(LINE)),
        ("a.json.gz", gzip.compress(MARK + b"[" + LINE + b"]")),
        ("a.CSV", f"{NAMES}\n{VALUES}\n".encode()),
        ("a.csv", MARK + f"{NAMES}\r\n{VALUES}\r\n".encode()),
        ("a.csv", f"{NAMES}\r{VALUES}\r".encode()),
        ("a.csv", f" {NAMES.replace(',', ' , ')}\n{VALUES}\n".encode()),
        ("a.csv", f",{NAMES},,\n0,{VALUES},,\n".encode()),
        ("a.csv", f"{NAMES}\n\ufeff{VALUES}\n".encode()),
        ("a.CSV.GZ", gzip.compress(MARK + f"{NAMES}\n{VALUES}\n".encode())),
        ("a.TSV", f"{NAMES}\n{VALUES}\n".replace(",", "\t").encode()),
    ],
    ids=short,
)
def test_the_same_record_in_every_form(tmp_path: Path, name: str, content: bytes) -> None:
    assert records(saved(tmp_path, name, content)) == [Problem("1", "sw", "Ana kuku 3. Ngapi?", 3.0)]


def test_numbers_of_parquet_are_numbers(tmp_path: Path) -> None:
    columns = {name: [value] for name, value in {**ROW, "id": 1}.items()}
    pq.write_table(pa.table({**columns, "answer": pa.array([Decimal("2.50")])}), tmp_path / "a.PARQUET")
    assert records(tmp_path / "a.PARQUET") == [Problem("1", "sw", "Ana kuku 3. Ngapi?", 2.5)]


def test_a_folder_of_tables_is_known_by_what_they_hold(tmp_path: Path) -> None:
    saved(tmp_path, "a.JSONL", LINE)
    saved(tmp_path, "b.jsonl.gz", gzip.compress(json.dumps({**ROW, "id": 2}).encode()))
    saved(tmp_path, "c.txt", b"not a table")
    assert [record.id for record in records(tmp_path)] == ["1", "2"]
    (source,) = opened(str(tmp_path), "corpora.own", {})
    assert list(source.parts) == ["0.jsonl", "1.jsonl"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", LINE.decode().encode("utf-16"), "a.jsonl is UTF-16; save it as UTF-8"),
        ("a.csv", f"{NAMES}\n{VALUES}".encode("utf-16"), "a.csv is UTF-16; save it as UTF-8"),
        ("a.csv", f"{NAMES}\n{VALUES}".encode("utf-16-le"), "a.csv:1: holds a NUL, as no text does; if it is UTF-16"),
        ("a.jsonl", LINE + b"\n" + LINE.replace(b"kuku", b"ku\0ku"), "a.jsonl:2: holds a NUL"),
        ("a.jsonl", LINE.replace(b"kuku", b"ku\\u0000ku"), "a.jsonl:1: question holds a NUL"),
        ("a.csv", f"{NAMES}\n{VALUES}\0".encode(), "a.csv:2: holds a NUL"),
        ("a.jsonl", gzip.compress(LINE), "a.jsonl is packed by gzip; let its name end in .gz"),
        ("a.csv.gz", gzip.compress(LINE)[:-9], "a.csv.gz: not gzip, or not all of it"),
        ("a.csv.gz", LINE, "a.csv.gz: not gzip, or not all of it"),
        ("a.jsonl.xz", lzma.compress(LINE), "a.jsonl.xz is packed by xz; unpack it, or pack it by gzip"),
        ("a.jsonl.bz2", bz2.compress(LINE), "a.jsonl.bz2 is packed by bzip2; unpack it, or pack it by gzip"),
        ("a.xlsx", b"PK\x03\x04xl/workbook.xml", "a.xlsx is a workbook or another zip archive"),
        ("a.jsonl", b"PAR1", "a.jsonl is Parquet; let its name end in .parquet"),
        ("a.txt", f"{NAMES}\n{VALUES}".encode(), "read as JSON Lines: its name ends in none of .csv .json .jsonl"),
        ("a.json", json.dumps(ROW, indent=1).encode(), "a.json:1: not JSON (Expecting property name"),
        ("a.json", b"[" + LINE + b", 5]", "a.json, element 2: int instead of a JSON object"),
        ("a.json", b"[\n" + LINE + b",\n{]", "a.json:3: not JSON"),
        ("a.json", b"[" + LINE + b",\n\n" + LINE + b"]", "a.json, element 2: repeats 1 sw of element 1"),
        ("a.json", b'[{"id": true}]', "a.json, element 1: no key 'language'; there are id"),
        ("a.jsonl", LINE.replace(b'"1"', b"true"), "a.jsonl:1: id must be a text that is not empty, got True"),
        ("a.jsonl", LINE.replace(b'"1"', b"1.0"), "a.jsonl:1: id must be a text that is not empty, got 1.0"),
        ("a.jsonl", LINE + b"\n" + LINE.replace(b'"1"', b"1"), "a.jsonl:2: repeats 1 sw of line 1"),
        ("a.jsonl", LINE.replace(b"}", b', "answer": 4}'), "a.jsonl:1: not JSON (key 'answer' is twice in one object"),
        ("a.jsonl", LINE.replace(b": 3", b": NaN"), "a.jsonl:1: answer must be a number, got nan"),
        ("a.jsonl", LINE.replace(b": 3", b": -Infinity"), "a.jsonl:1: answer must be a number, got -inf"),
        ("a.jsonl", LINE.replace(b": 3", b": true"), "a.jsonl:1: answer must be a number, got True"),
        ("a.jsonl", LINE + b"\r" + LINE, "a.jsonl:1: not JSON"),
        ("a.csv", f"{NAMES},answer\n{VALUES},4\n".encode(), "a.csv:1: two columns are called 'answer'"),
        ("a.csv", f"{NAMES}, id\n{VALUES},4\n".encode(), "a.csv:1: two columns are called 'id'"),
        ("a.csv", f"{NAMES}\n".replace(",", ";").encode(), "a.csv:1: the names are separated by ';'; here ','"),
        ("a.csv", f"{NAMES}\n1,sw,Ngapi?,TRUE\n".encode(), "a.csv:2: answer must be a number, got 'TRUE'"),
    ],
    ids=short,
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        records(saved(tmp_path, name, content))
    assert said in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_what_is_unpacked_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved(tmp_path, "a.jsonl.gz", gzip.compress(LINE + b"\n" * 3000))
    assert len(records(file)) == 1
    monkeypatch.setattr("slam_ray.corpora.tables.MOST_BYTES", 2000)
    with pytest.raises(InputError, match=r"a\.jsonl\.gz is over 1 GiB unpacked"):
        records(file)


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
    (question,) = records(saved(tmp_path, "a.jsonl", json.dumps(row).encode()), Question)
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
        pairs = read(opened(published(tmp_path / name, mark)[format_], "corpora.own", {}), Pair).records
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
    found = {name: records(tmp_path, format=name) for name in ("mgsm", "msvamp", "gsm8k")}
    assert {name: [problem.answer for problem in problems] for name, problems in found.items()} == {
        "mgsm": [2.5, 1.234], "msvamp": [0.75, 1.234], "gsm8k": [2.5]
    }  # fmt: skip
    saved(tmp_path, "mgsm_de.tsv", b"Wie viele?\t1.234\n")
    with pytest.raises(InputError, match=r"mgsm_de\.tsv:1: answer: 1\.234 may be 1234 or 1\.234"):
        records(tmp_path, format="mgsm")
    saved(tmp_path, "test_German.json", b'{"m_query": "Wie viel?"}\n')
    with pytest.raises(InputError, match=r"test_German\.json:1: no column 'response'; it has m_query"):
        records(tmp_path, format="msvamp")


def test_published_json_may_be_one_array(tmp_path: Path) -> None:
    rows = [{"m_query": f"Ngapi {number}?", "query": "?", "response": f"{number}.0"} for number in (1, 2)]
    saved(tmp_path, "test_Swahili.json", json.dumps(rows, indent=2).encode())
    saved(tmp_path, "test_English.json", json.dumps(rows).encode())
    problems = records(tmp_path, format="msvamp")
    assert sorted((problem.language, problem.id, problem.answer) for problem in problems) == [
        ("en", "1", 1.0), ("en", "2", 2.0), ("sw", "1", 1.0), ("sw", "2", 2.0)
    ]  # fmt: skip
    saved(tmp_path, "test_English.json", json.dumps([rows[0], {**rows[1], "response": "two"}], indent=2).encode())
    with pytest.raises(InputError, match=r"test_English\.json, element 2: answer must be a number, got 'two'"):
        records(tmp_path, format="msvamp")


def test_an_id_by_the_english_question_is_what_it_was() -> None:
    assert problem_id("Juma ana  kalamu 12?") == "b99f8b80bb412192"


def test_keys_reach_into_objects_and_lists() -> None:
    row = {"resps": [["5"]], "a.b": 1, "a": {"b": 2, "c": {"0": 3}}, "turns": [{"text": "x"}, {"text": "y"}]}
    reached = [reach(row, key) for key in ("resps.0.0", "a.b", "a.c.0", "turns.-1.text")]
    assert reached == ["5", 1, 3, "y"]
    for key in ("resps.1", "resps.x", "resps.0.0.0", "a.d", "b", "", "turns.text"):
        with pytest.raises(KeyError):
            reach(row, key)


def test_a_row_that_is_no_object_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a:2: list instead of a JSON object"):
        list(json_objects(saved(tmp_path, "a", LINE + b"\n[1]\n")))
    assert [number for number, _ in by_ending(saved(tmp_path, "a", b"\n" + LINE + b"\n\n" + LINE))] == [2, 4]

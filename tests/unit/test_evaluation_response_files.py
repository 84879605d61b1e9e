"""Scoring responses made elsewhere: `slam-ray score` and what it says about bad lines."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from slam_ray.cli import main
from slam_ray.config import InputError
from slam_ray.evaluation.response_files import ResponseWithAnswer, read_answered
from slam_ray.evaluation.statistics import wilson

KEYS = ["--language", "sw", "--response-key", "text", "--answer-key", "gold"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [("Jibu ni 18. Ana bata 3.", 18), ("Jibu ni -10", -10), ("sijui", 0), ("5", "5,000")]
    file = tmp_path / "responses.jsonl"
    file.write_text("".join(json.dumps({"id": 1, "text": text, "gold": gold}) + "\n" for text, gold in rows))
    return file


def test_the_command_prints_one_object(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for extractor, correct in (("last-number", 0), ("strict", 2)):
        assert main(["score", str(file), *KEYS, "--extractor", extractor]) == 0
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (result["accuracy"], result["n"]) == (25 * correct, 4)
        assert result["interval"] == pytest.approx([100 * end for end in wilson(correct, 4)])
        assert result["without_number"] == 1


def test_the_command_names_a_bad_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with file.open("a") as stream:
        stream.write("{not json\n")
    assert main(["score", str(file), *KEYS]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith(f"error: {file}:5: not JSON")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"response": "5"}', r":2: no key 'answer'; the line holds response"),
        ('{"response": null, "answer": 5}', r":2: response must be a text, got None"),
        ('{"response": "5", "answer": "five"}', r":2: answer must be a number, got 'five'"),
        ('{"response": "5", "answer": true}', r":2: answer must be a number, got True"),
        ('{"response": "5", "answer": NaN}', r":2: answer must be a number, got nan"),
        ('{"response": "5", "answer": 1' + "0" * 400 + "}", r":2: answer must be a number, got 10"),
        ("[]", r":2: list instead of a JSON object"),
        ("\xff", r":2: not JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(b'{"response": "5", "answer": 5}\n' + line.encode("latin-1") + b"\n")
    with pytest.raises(InputError, match=message):
        read_answered(file, "response", "answer", "sw")


def test_blank_lines_and_other_keys_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "good.jsonl"
    file.write_text('\n{"response": "\u2028 5", "answer": "1,234", "more": []}\r\n\n', encoding="utf-8")
    assert read_answered(file, "response", "answer", "sw") == [ResponseWithAnswer("\u2028 5", 1234.0)]


def test_a_file_without_responses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match="holds no responses"):
        read_answered(tmp_path / "empty.jsonl", "response", "answer", "sw")
    with pytest.raises(InputError, match="No such file"):
        read_answered(tmp_path / "none.jsonl", "response", "answer", "sw")


@pytest.mark.parametrize(
    ("response_key", "answer_key", "row"),
    [
        ("resps.0.0", "target", {"target": "5", "resps": [["Jibu ni 5."]]}),
        (
            "message.-1.content",
            "origin.answer",
            {"message": [{"content": "?"}, {"content": "Jibu ni 5."}], "origin": {"answer": 5}},
        ),
        ("response", "answer", {"response": "Jibu ni 5.", "answer": "2 + 3 = <<2+3=5>>5\n#### 5"}),
        ("a.b", "c.d", {"a.b": "Jibu ni 5.", "c": {"d": 5.0}}),
    ],
)
def test_keys_reach_inside(tmp_path: Path, response_key: str, answer_key: str, row: dict[str, Any]) -> None:
    for name, content in (("a.jsonl", json.dumps(row)), ("a.json", json.dumps([row], indent=1))):
        (tmp_path / name).write_text(content)
        assert read_answered(tmp_path / name, response_key, answer_key, "sw") == [ResponseWithAnswer("Jibu ni 5.", 5.0)]


def test_where_texts_lie_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"turns": [{"role": "user", "say": ["5"]}], "answer": 5}))
    with pytest.raises(
        InputError, match=r"turns must be a text, got .*; texts are at turns\.0\.role, turns\.0\.say\.0$"
    ):
        read_answered(tmp_path / "a.jsonl", "turns", "answer", "sw")
    with pytest.raises(InputError, match=r":1: no key 'turns\.1'; the line holds turns, answer"):
        read_answered(tmp_path / "a.jsonl", "turns.1", "answer", "sw")


@pytest.mark.parametrize("name", ["a.CSV", "a.csv.gz", "a.tsv"])
def test_responses_may_be_a_table(tmp_path: Path, name: str) -> None:
    content = 'response,answer\n"Die Antwort ist 2,5.","2,5"\n"Es sind 1,234.","1,234"\n'
    content = content.replace('",', '"\t').replace("response,", "response\t") if name.endswith("tsv") else content
    (tmp_path / name).write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode())
    assert read_answered(tmp_path / name, "response", "answer", "de") == [
        ResponseWithAnswer("Die Antwort ist 2,5.", 2.5),
        ResponseWithAnswer("Es sind 1,234.", 1.234),
    ]


def test_the_command_reads_decimal_commas_and_refuses_what_may_be_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "responses.jsonl"
    for golds, expected in ((("2,5", "0,75"), 100), (("25", "75"), 0)):
        rows = [
            {"response": text, "answer": gold}
            for text, gold in zip(("Es sind 2,5.", "Es sind 0,75."), golds, strict=True)
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert main(["score", str(file), "--language", "de", "--extractor", "strict"]) == 0
        assert json.loads(capsys.readouterr().out)["accuracy"] == expected
    file.write_text('{"response": "Es sind 1.234.", "answer": "1.234"}\n')
    assert main(["score", str(file), "--language", "de"]) == 2
    assert f"error: {file}:1: answer: 1.234 may be 1234 or 1.234" in capsys.readouterr().err

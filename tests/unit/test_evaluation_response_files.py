"""Scoring responses made elsewhere: `jobs/score_responses.py` and what it says about bad lines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from slam_ray.config import InputError
from slam_ray.evaluation.response_files import Answered, read_answered
from slam_ray.evaluation.statistics import wilson

JOB = Path(__file__).parents[2] / "jobs" / "score_responses.py"


def score(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, JOB, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [("Jibu ni 18. Ana bata 3.", 18), ("Jibu ni -10", -10), ("sijui", 0), ("5", "5,000")]
    file = tmp_path / "responses.jsonl"
    file.write_text("".join(json.dumps({"id": 1, "text": text, "gold": gold}) + "\n" for text, gold in rows))
    return file


def test_the_job_prints_one_object(file: Path) -> None:
    keys = ("--language", "sw", "--response-key", "text", "--answer-key", "gold")
    for extractor, correct in (("last-number", 0), ("strict", 2)):
        ended = score(file, *keys, "--extractor", extractor)
        assert ended.returncode == 0, ended.stderr
        result = json.loads(ended.stdout.splitlines()[-1])
        assert (result["accuracy"], result["n"]) == (25 * correct, 4)
        assert result["interval"] == pytest.approx([100 * end for end in wilson(correct, 4)])
        assert result["without_number"] == 1


def test_the_job_names_a_bad_line(file: Path) -> None:
    with file.open("a") as stream:
        stream.write("{not json\n")
    ended = score(file, "--language", "sw", "--response-key", "text", "--answer-key", "gold")
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
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
        read_answered(file, "response", "answer")


def test_blank_lines_and_other_keys_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "good.jsonl"
    file.write_text('\n{"response": "\u2028 5", "answer": "1,234", "more": []}\r\n\n', encoding="utf-8")
    assert read_answered(file, "response", "answer") == [Answered("\u2028 5", 1234.0)]


def test_a_file_without_responses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match="holds no responses"):
        read_answered(tmp_path / "empty.jsonl", "response", "answer")
    with pytest.raises(InputError, match="No such file"):
        read_answered(tmp_path / "none.jsonl", "response", "answer")

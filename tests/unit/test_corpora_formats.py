"""Every layout, on fixtures of our own wording: what it gives, and what is said where it cannot."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slam_ray.config import CorporaConfig, InputError, SourceConfig
from slam_ray.corpora import Pair, Problem, Question, problems_step, read_problems
from slam_ray.corpora.formats import FORMATS
from slam_ray.corpora.formats.layout import problem_id
from slam_ray.corpora.languages import KNOWN
from slam_ray.corpora.sources import KINDS
from tests.configs import run_config
from tests.corpora import cases, corpus, made, records, source
from tests.published import FIXTURES


def fixture(format_: str, folder: str = "", **more: Any) -> SourceConfig:
    return SourceConfig(path=str(FIXTURES / (folder or format_)), format=format_, **more)


@pytest.mark.parametrize(("format_", "languages"), [("mgsm", {"de", "en", "sw"}), ("msvamp", {"en", "sw"})])
def test_a_line_is_the_same_problem_in_every_language(format_: str, languages: set[str]) -> None:
    problems = records(fixture(format_), Problem)
    assert {(problem.id, problem.answer) for problem in problems} == {("1", 28.0), ("2", 5600.0), ("3", 9.0)}
    assert {problem.language for problem in problems} == languages
    third = {problem.language: problem.question for problem in problems if problem.id == "3"}
    assert third["en"] == '"Half of my 18 goats are black," says Tom. How many are black?'
    assert third["sw"].startswith('"Nusu')
    questions = records(fixture(format_), Question)
    assert [(q.id, q.language, q.question) for q in questions] == [(p.id, p.language, p.question) for p in problems]


def test_gsm8k_drops_and_counts_what_it_repeats() -> None:
    found = corpus(fixture("gsm8k"), Problem)
    assert [problem.answer for problem in found.records] == [30.0, 8.0, 25.0]
    assert found.repeated == 1
    assert [problem.answer for problem in records(fixture("gsm8k", split="test"), Problem)] == [28.0, 5600.0, 9.0]


def test_the_formats_made_from_gsm8k_share_their_ids() -> None:
    in_gsm8k = {question.id for question in records(fixture("gsm8k"), Question)}
    for format_ in ("mgsm8kinstruct", "qalign"):
        questions = records(fixture(format_), Question)
        assert {question.id for question in questions} == in_gsm8k
        assert {question.language for question in questions} == {"en", "sw", "th"}
    thai = {pair.id: pair.english for pair in records(fixture("qalign"), Pair) if pair.language == "th"}
    assert all(problem_id(english) == id_ for id_, english in thai.items())
    assert problem_id("  ONE   apple ") == problem_id("One apple")


def test_mgsm8kinstruct_pairs_questions_and_answers_with_the_english_of_their_problem() -> None:
    pairs = records(fixture("mgsm8kinstruct"), Pair)
    assert [(pair.language, pair.kind) for pair in pairs].count(("th", "answer")) == 2
    rope = [pair for pair in pairs if "Kamba" in pair.source]
    assert [(pair.language, pair.english) for pair in rope] == [
        ("sw", "A rope of 24 metres is cut into 3 equal parts. How long is each?")
    ]
    answers = {(pair.source, pair.english) for pair in pairs if pair.kind == "answer" and pair.language == "sw"}
    assert ("Kila moja ni 24/3 = 8.\n#### 8", "Each is 24/3 = <<24/3=8>>8 metres.\n#### 8") in answers


def test_mgsm8kinstruct_whose_rows_are_not_grouped_by_problem_is_refused(tmp_path: Path) -> None:
    rows = (FIXTURES / "mgsm8kinstruct" / "MGSM8KInstruct_Parallel.json").read_text(encoding="utf-8").splitlines()
    file = tmp_path / "sorted.json"
    file.write_text("\n".join(sorted(rows, key=lambda row: json.loads(row)["prompt"])), encoding="utf-8")
    with pytest.raises(InputError, match=r"3 of 8 rows do not follow the English row"):
        records(SourceConfig(path=str(file), format="mgsm8kinstruct"), Pair)


def test_qalign_takes_the_languages_with_both_sides_and_one_pair_of_each_problem() -> None:
    found = corpus(fixture("qalign"), Pair)
    assert [(pair.language, pair.source[:5]) for pair in found.records] == [
        ("sw", "Ben h"), ("sw", "Kamba"), ("sw", "Lina "), ("th", "เบนเก"), ("th", "ลีนาม")
    ]  # fmt: skip
    assert found.repeated == 1


def test_files_that_are_not_aligned_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "sw-en"
    shutil.copytree(FIXTURES / "qalign" / "gsmtrans" / "gsm8kinstruct_question" / "sw-en", folder)
    with (folder / "train.en").open("a") as stream:
        stream.write("One more.\n")
    with pytest.raises(InputError, match=r"train\.sw and .*train\.en differ in length"):
        records(SourceConfig(path=str(tmp_path), format="qalign"), Pair)


@pytest.mark.parametrize("folder", ["flores", "ntrex"])
def test_parallel_sentences(folder: str) -> None:
    pairs = records(fixture("parallel", folder), Pair)
    rose, council, fishermen = (pair.id for pair in pairs if pair.language == "sw")
    assert [pair.id for pair in pairs if pair.language == "zh"] == [rose, fishermen]
    assert council != rose
    assert (pairs[-1].source, pairs[-1].english) == ("渔民们提前回来了。", "Fishermen came back early.")
    assert len(records(fixture("parallel", folder), Question)) == 8


def test_xcsqa_lays_the_choices_out_in_the_question() -> None:
    pairs = {(pair.language, pair.id): pair for pair in records(fixture("xcsqa"), Pair)}
    assert set(pairs) == {("sw", "q1"), ("sw", "q2"), ("ja", "q1")}
    assert pairs["sw", "q1"].english == (
        "Where do you keep a pen?\n(A) in a case\n(B) in soup\n(C) on the roof\n(D) in a river\n(E) in a fire"
    )
    assert pairs["sw", "q1"].source.startswith("Unaweka kalamu wapi?\n(A) katika kasha\n")
    validation = records(fixture("xcsqa", split="validation"), Question)
    assert {(question.language, question.id) for question in validation} == {("en", "q1"), ("sw", "q1")}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl"])
def test_own_tables_with_other_columns(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"own{suffix}"
    rows = [
        {"no": 7, "frage": 'Er sagt: "Ja",\tdann nein.', "zahl": "5,600"},
        {"no": 8, "frage": "Zwei\nZeilen?", "zahl": "3"},
    ]
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif suffix == ".jsonl":
        file.write_text("".join(json.dumps({**r, "no": str(r["no"]), "zahl": gold(r)}) + "\n" for r in rows))
    else:
        separator = "," if suffix == ".csv" else "\t"
        quoted = [[str(value).replace('"', '""') for value in row.values()] for row in rows]
        body = "".join(separator.join(f'"{value}"' for value in row) + "\n" for row in quoted)
        file.write_text("\ufeff" + separator.join(rows[0]) + "\n" + body)
    own = SourceConfig(
        path=str(file), columns={"id": "no", "question": "frage", "answer": "zahl"}, values={"language": "de"}
    )
    assert records(own, Problem) == [
        Problem("7", "de", 'Er sagt: "Ja",\tdann nein.', 5600.0),
        Problem("8", "de", "Zwei\nZeilen?", 3.0),
    ]


def gold(row: dict[str, Any]) -> float:
    return float(row["zahl"].replace(",", ""))


def test_own_tables_of_a_language_each_joined_by_their_row_numbers(tmp_path: Path) -> None:
    sources = []
    for code, text in (("en", "Two\nThree"), ("sw", "Mbili\nTatu")):
        file = tmp_path / f"{code}.tsv"
        file.write_text("sentence\n" + text + "\n")
        columns = {"id": "#", "question": "sentence"}
        sources.append(SourceConfig(path=str(file), columns=columns, values={"language": code}))
    assert records(tuple(sources), Question) == [
        Question("2", "en", "Two"),
        Question("3", "en", "Three"),
        Question("2", "sw", "Mbili"),
        Question("3", "sw", "Tatu"),
    ]


def test_a_folder_of_tables_and_a_column_inside_a_column(tmp_path: Path) -> None:
    for name, text in (("b", "Mbili"), ("a", "Moja")):
        rows = [{"key": name, "translation": {"en": text.upper(), "sw": text}}]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    (tmp_path / "README.md").write_text("not a table")
    own = SourceConfig(
        path=str(tmp_path),
        columns={"id": "key", "source": "translation.sw", "english": "translation.en"},
        values={"language": "sw", "kind": "question"},
    )
    assert [(pair.id, pair.source, pair.english) for pair in records(own, Pair)] == [
        ("a", "Moja", "MOJA"),
        ("b", "Mbili", "MBILI"),
    ]


@pytest.mark.parametrize("case", cases("sources"), ids=str)
def test_a_source_that_cannot_be_used(case: dict[str, Any]) -> None:
    config = SourceConfig(**{**case["source"], "path": str(FIXTURES / case["source"]["path"])})
    (kind,) = (kind for kind, name in KINDS.items() if name == case["kind"])
    with pytest.raises(InputError) as caught:
        records(config, kind)
    assert case["said"] in str(caught.value)


@pytest.mark.parametrize(
    ("line", "part"), [("no tab", "mgsm_en.tsv:1: no tab"), ("q\tmany", "answer must be a number")]
)
def test_a_bad_line_of_a_published_file_is_named(tmp_path: Path, line: str, part: str) -> None:
    (tmp_path / "mgsm_en.tsv").write_text(line + "\n")
    with pytest.raises(InputError, match=part):
        records(SourceConfig(path=str(tmp_path), format="mgsm"), Problem)


def test_own_records_may_not_repeat_over_sources(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text('{"id": "1", "language": "sw", "question": "Ngapi?"}\n')
    with pytest.raises(InputError, match=r"corpora\.own\.1 .*repeats 1 sw of corpora\.own\.0 .*ids of their own"):
        records((str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")), Question)
    with pytest.raises(InputError, match="repeats 1 en of"):
        records((fixture("mgsm"), fixture("msvamp")), Problem)
    both = corpus((fixture("qalign"), fixture("mgsm8kinstruct")), Pair)
    assert len(both.records) == 10


def test_a_corpus_over_one_gib_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "big.jsonl").open("wb") as stream:
        stream.truncate(2**30 + 1)
    with pytest.raises(InputError, match=r"big\.jsonl is over 1 GiB"):
        source(str(tmp_path / "big.jsonl"))


def test_identity_is_content_and_language_not_place(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "mgsm", tmp_path / "copy")
    copy = source(SourceConfig(path=str(tmp_path / "copy"), format="mgsm"), "corpora.questions")
    original = source(fixture("mgsm"))
    assert copy.fingerprint == original.fingerprint
    shutil.move(tmp_path / "copy" / "mgsm_sw.tsv", tmp_path / "copy" / "mgsm_fr.tsv")
    other = source(SourceConfig(path=str(tmp_path / "copy"), format="mgsm"), "corpora.questions")
    assert other.fingerprint != original.fingerprint


def test_every_format_says_how_it_lies_and_every_language_has_a_script() -> None:
    assert all(format_.layout and format_.readers for format_ in FORMATS.values())
    for code in KNOWN:
        assert KNOWN.script_share(code, "2 + 2") == 1.0, KNOWN[code].script
    assert KNOWN.script_share("zh", "Ben有2只猫") == 0.5
    assert KNOWN.script_share("bn", "জুলিয়া ১৮") == 1.0


def test_xcsqa_is_a_benchmark_answered_with_labels_where_they_are_published(tmp_path: Path) -> None:
    problems = records(fixture("xcsqa", split="validation"), Problem)
    assert {problem.language for problem in problems} >= {"en", "sw"}
    assert all(f"({problem.answer}) " in problem.question for problem in problems)
    with pytest.raises(InputError, match=r"no right choice \(answerKey ''\); score on split: validation"):
        records(fixture("xcsqa"), Problem)
    mixed = {"mixed": (fixture("xcsqa", split="validation"), fixture("mgsm"))}
    config = run_config(corpora={"benchmarks": mixed})
    with pytest.raises(InputError, match="numbers and labels as answers; make two benchmarks of them"):
        made(problems_step(config, "mixed"), tmp_path)
    alone = config.model_copy(update={"corpora": CorporaConfig(benchmarks={"mixed": mixed["mixed"][0]})})
    assert sorted(map(repr, read_problems(made(problems_step(alone, "mixed"), tmp_path)))) == sorted(
        map(repr, problems)
    )

"""Languages that the project does not know: their files are named, and `corpora.languages` adds them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import (
    CleaningConfig,
    CorporaConfig,
    ExecutionConfig,
    InputError,
    LanguageConfig,
    RunConfig,
    SourceConfig,
    load_config,
)
from slam_ray.corpora import Pair, Question, pairs_step, problems_step, questions_step
from slam_ray.corpora.cleaning import clean, cleaning_losses
from slam_ray.corpora.languages import KNOWN, LANGUAGES, Languages
from slam_ray.corpora.leakage import LeakageConfig, LeakageResult
from slam_ray.corpora.sources import Source, read, readings
from slam_ray.store.making import check_inputs, make, plan
from slam_ray.store.step import Artifacts, Derived, Step
from slam_ray.store.storage import Storage
from tests.configs import run_config
from tests.corpora import cases, fingerprint, made
from tests.corpora import source as opened_source

CASES = cases("languages")
YORUBA = LanguageConfig(code="yo", name="Yoruba")
BASQUE = LanguageConfig(code="eu", name="Basque", script="Latn")


def languages(*entries: str | LanguageConfig) -> Languages:
    return Languages.of(CorporaConfig(benchmarks={"b": "b"}, languages=("en", *entries)))


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("_dot_", ".").replace("_minus_", "-")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def source(path: Path, format_: str, known: Languages = KNOWN) -> Source:
    return opened_source(SourceConfig(path=str(path), format=format_), "corpora.questions", known)


def chat(text: str, language: str) -> str:
    """A row of MGSM8KInstruct."""
    asked = f"Below is an instruction. Answer it in {language}.\n\n### Instruction:\n{text}\n\n### Response:"
    return json.dumps({"prompt": asked, "chosen": f"{text} #### 3"}) + "\n"


ENGLISH, OTHER = "How many cups?\t3\n", "Zenbat katilu?\t3\n"
LINE = '{"m_query": "How many cups?", "response": "3.0"}\n'
PEN = {"id": "1", "question": {"stem": "Where?", "choices": [{"label": "A", "text": "in it"}]}, "answerKey": "A"}
LAYOUTS = {
    "mgsm": ({"mgsm_en.tsv": ENGLISH}, "mgsm_eu.tsv", OTHER),
    "msvamp": ({"test_English.json": LINE}, "test_Basque.json", LINE),
    "qalign": (
        {"sw-en/train.sw": "Vikombe?\n", "sw-en/train.en": "Cups?\n", "eu-en/train.en": "Cups?\n"},
        "eu-en/train.eu",
        "Katilu?\n",
    ),
    "parallel": ({"dev/eng_Latn.dev": "Rain.\n"}, "dev/eus_Latn.dev", "Euria.\n"),
    "ntrex": ({"newstest2019-src.eng.txt": "Rain.\n"}, "newstest2019-ref.eus.txt", "Euria.\n"),
    "xcsqa": ({"X-CSQA/en/test.jsonl": json.dumps(PEN)}, "X-CSQA/eu/test.jsonl", json.dumps(PEN)),
}


def laid_out(folder: Path, layout: str) -> Path:
    files, other, text = LAYOUTS[layout]
    for name, content in {**files, other: text}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_of_a_language_that_is_not_known_are_named_and_read_once_it_is_added(layout: str, tmp_path: Path) -> None:
    folder, format_ = laid_out(tmp_path, layout), "parallel" if layout == "ntrex" else layout
    without, added = source(folder, format_), source(folder, format_, languages(BASQUE))
    (left_out,) = without.left_out
    assert left_out in (LAYOUTS[layout][1], "eu-en")
    assert without.note == (
        f"corpora.questions: {left_out}: languages not known, left out; to read them, name them in corpora.languages,"
        " e.g. [en, sw, {code: yo, name: Yoruba}]"
    )
    assert added.note is None
    codes = {question.language for question in read((without,), Question).records}
    assert {question.language for question in read((added,), Question).records} == codes | {"eu"}


def test_many_files_are_named_by_the_first_of_them(tmp_path: Path) -> None:
    for code in (f"q{letter}{other}" for letter in "abcd" for other in "xyz"):
        (tmp_path / f"mgsm_{code}.tsv").write_text(OTHER)
    with pytest.raises(
        InputError, match=r"holds no mgsm_<language>.tsv of split 'test'; mgsm_qax.tsv, .* and 4 more: l"
    ):
        source(tmp_path, "mgsm")
    (tmp_path / "mgsm_en.tsv").write_text(ENGLISH)
    assert "mgsm_qcy.tsv and 4 more: languages not known" in str(source(tmp_path, "mgsm").note)


@pytest.mark.parametrize(("written", "code"), CASES["written"].items())
def test_other_codes_and_scripts_of_a_language_are_known(written: str, code: str | None) -> None:
    known = languages(YORUBA, LanguageConfig(code="uz", name="Uzbek", script="Cyrl"), "sw")
    assert known.code_of(written) == code


def test_two_files_of_one_language_are_refused(tmp_path: Path) -> None:
    folder = written(
        tmp_path, dev__eng_Latn_dot_dev="Rain.\n", dev__ace_Latn_dot_dev="a\n", dev__ace_Arab_dot_dev="b\n"
    )
    with pytest.raises(InputError, match=r"corpora.questions: .*ace_Arab.dev and .*ace_Latn.dev are both in .*'ace'"):
        source(folder, "parallel", languages(LanguageConfig(code="ace", name="Acehnese")))
    chosen = source(folder, "parallel", languages(LanguageConfig(code="ace", name="Acehnese", script="Latn")))
    assert (chosen.parts["ace"].file.name, chosen.left_out) == ("ace_Latn.dev", ("dev/ace_Arab.dev",))


def test_names_in_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    rows = ("How many?", "English"), ("Zenbat?", "Basque"), ("Konbyen?", "Haitian Creole"), ("Ngapi?", "Swahili")
    file.write_text("".join(chat(*row) for row in rows))
    added = source(file, "mgsm8kinstruct", languages(BASQUE, LanguageConfig(code="ht", name="Haitian Creole")))
    assert [question.language for question in read((added,), Question).records] == ["en", "eu", "ht", "sw"]
    chats = SourceConfig(path=str(file), format="mgsm8kinstruct")
    reading = readings(chats, "corpora.questions", added.languages)[0].model_dump()
    assert reading["names"] == {"eu": "Basque", "ht": "Haitian Creole"}
    assert "names" not in readings(chats, "corpora.questions", KNOWN)[0].model_dump()
    config = run_config(corpora={"questions": chats})
    with pytest.raises(InputError, match=r"rows.json\): language 'Basque' is not known; known are: ar .* name: Yoruba"):
        made(questions_step(config), tmp_path)


@pytest.mark.parametrize(("entries", "said"), CASES["refused"])
def test_a_language_that_cannot_be_added(entries: Sequence[Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Languages.of(CorporaConfig(benchmarks={"b": "b"}, languages=["en", *entries]))
    assert said in str(caught.value)
    assert "corpora.languages" in str(caught.value)


@pytest.mark.parametrize(("text", "said"), CASES["refused_texts"])
def test_a_wrong_list_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_config("demo", {"corpora.languages": text})
    assert said in str(caught.value)
    assert "(language)" not in str(caught.value)


def test_languages_on_the_command_line() -> None:
    corpora = load_config("demo", {"corpora.languages": "[en, sw, {code: yo, name: Yoruba}]"}).corpora
    assert corpora.codes == ("en", "sw", "yo")
    known = Languages.of(corpora)
    assert (list(known), known["yo"].name, known.added_names) == ([*LANGUAGES, "yo"], "Yoruba", {"yo": "Yoruba"})
    assert load_config("demo", {}).corpora.codes is None


def config(folder: Path, language: LanguageConfig | None) -> RunConfig:
    codes = ("en", "yo")
    records: dict[str, list[dict[str, Any]]] = {
        "questions": [{"id": str(i), "language": code, "question": f"{code} {i}?"} for code in codes for i in range(4)],
        "pairs": [
            {"id": str(i), "language": "yo", "kind": "question", "source": f"Ife melo {i}?", "english": f"Cups {i}?"}
            for i in range(4)
        ],
        "problems": [
            {"id": str(i), "language": code, "question": f"{code} test {i}?", "answer": i}
            for code in codes
            for i in range(3)
        ],
    }
    for name, each in records.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in each))
    corpora = {
        "questions": str(folder / "questions.jsonl"),
        "pairs": str(folder / "pairs.jsonl"),
        "benchmarks": {"own": str(folder / "problems.jsonl")},
        "languages": ("en", language) if language else None,
    }
    return run_config(corpora=corpora)


def test_records_in_a_language_that_was_added_are_prepared(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"questions.jsonl\): language 'yo' is not known; known are: .* corpora.lang"):
        made(questions_step(config(tmp_path, None)), tmp_path)
    wanted = config(tmp_path, YORUBA)
    questions = made(questions_step(wanted), tmp_path)
    assert questions.result.records == {"en": 4, "yo": 4}
    assert made(pairs_step(wanted, questions), tmp_path).result.records == {"yo": 4}
    assert made(problems_step(wanted, "own"), tmp_path).result.records == {"en": 3, "yo": 3}


def test_what_is_added_enters_the_identity_of_what_it_decides_alone(tmp_path: Path) -> None:
    plain, other, cyrillic = (
        config(tmp_path, LanguageConfig(code="yo", **more))
        for more in ({"name": "Yoruba"}, {"name": "Yorùbá"}, {"name": "Yoruba", "script": "Cyrl"})
    )
    questions = made(questions_step(plain), tmp_path)
    assert len({fingerprint(questions_step(each), tmp_path) for each in (plain, other, cyrillic)}) == 1
    pairs = [pairs_step(each, questions) for each in (plain, other, cyrillic)]
    one, same, different = (fingerprint(each, tmp_path) for each in pairs)
    assert one == same != different
    assert made(pairs[1], tmp_path).result.records == {"yo": 4}
    with pytest.raises(InputError, match="cleaning leaves no pair in language 'yo'"):
        made(pairs[2], tmp_path)


def test_cleaning_asks_for_a_script_where_one_is_given() -> None:
    amharic = LanguageConfig(code="am", name="Amharic", script="Ethi")
    spaced, unspaced = (LanguageConfig(code="my", name="Burmese", spaced=each) for each in (True, False))
    pairs = [
        Pair("1", "am", "question", "ስንት ኩባያዎች አሉ?", "How many cups are there?"),
        Pair("2", "am", "question", "Sint kubayawoch alu?", "How many cups are there?"),
    ]
    assert [drop.pair.id for drop in clean(pairs, CleaningConfig(), languages(amharic))[1]] == ["2"]
    assert clean(pairs, CleaningConfig(), languages(LanguageConfig(code="am", name="Amharic")))[1] == []
    loop = Pair("3", "my", "question", "ခွက်ဘယ်နှစ်လုံးရှိသလဲ" * 15, "How many cups? " * 9)
    dropped = [clean([loop], CleaningConfig(), languages(each))[1] for each in (spaced, unspaced)]
    assert [[drop.rule for drop in each] for each in dropped] == [[], ["loops"]]
    assert [loss.language for loss in cleaning_losses(dropped[1])] == ["my"]


def test_the_line_is_said_once_by_the_dry_run_and_by_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = laid_out(tmp_path / "mgsm", "mgsm")
    corpora = {"benchmarks": {"own": {"path": str(folder), "format": "mgsm"}}}
    wanted = run_config(corpora=corpora)
    checks = [problems_step(wanted, "own"), problems_step(wanted, "own").labelled("the same again")]
    config = Derived((), lambda artifacts: LeakageConfig(), after=checks)
    result = LeakageResult(questions=0, problems=0)
    last = Step("waits", 1, config, {}, LeakageResult, lambda attempt: result)
    storage = Storage(tmp_path / "storage")
    with RayCluster(ExecutionConfig()) as cluster:
        check_inputs([last], plan([last], storage), storage, cluster)
        assert capsys.readouterr().out.count("corpora.benchmarks.own: mgsm_eu.tsv: languages not known, left out") == 1
        for _ in range(2):  # also where all is done
            make([last], Artifacts(storage), cluster)
            assert capsys.readouterr().out.count("mgsm_eu.tsv: languages not known, left out") == 1

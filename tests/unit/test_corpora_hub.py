"""Datasets on the Hub: what is fetched of them, once, and that it reads like their files."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slam_ray.config import CorporaConfig, InputError, LanguageConfig, SourceConfig
from slam_ray.corpora import Pair, Problem, Question
from slam_ray.corpora.formats.layout import problem_id
from slam_ray.corpora.hub import fetch_corpora_steps
from slam_ray.corpora.sources import read
from tests.corpora import fetched_source


def hub_records(config: SourceConfig, folder: Path, kind: Any) -> list[Any]:
    return read([fetched_source(config, folder)], kind).records


def dataset(folder: Path, subsets: dict[str, tuple[str, list[dict[str, Any]]]]) -> None:
    """A dataset as it lies on the Hub: a README that names its subsets, and a file for each."""
    folder.mkdir(parents=True)
    configs = ""
    for name, (split, rows) in subsets.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
        configs += f"- config_name: {name}\n  data_files:\n  - split: {split}\n    path: {name}.parquet\n"
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `datasets` finds names of the Hub, and a cache of its own."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_hub_editions_give_the_same_records_as_the_files(hub: Path) -> None:
    pens = {"stem": "Where?", "choices": {"label": ["B", "A"], "text": ["in soup", "in a case"]}}
    dataset(
        hub / "some" / "mgsm",
        {
            code: ("test", [{"question": f"{code} 1?", "answer": None, "answer_number": 5600}])
            for code in ("en", "sw", "xx")
        },
    )
    dataset(hub / "some" / "xcsr", {"X-CSQA-en": ("test", [{"id": "q1", "lang": "en", "question": pens}])})
    dataset(
        hub / "some" / "flores",
        {
            "eng_Latn": ("dev", [{"id": 1, "sentence": "Rain."}]),
            "swh_Latn": ("dev", [{"id": 1, "sentence": "Mvua."}]),
        },
    )
    mgsm = SourceConfig(hub="some/mgsm", format="mgsm")
    assert hub_records(mgsm, hub, Problem) == [Problem("1", "en", "en 1?", 5600.0), Problem("1", "sw", "sw 1?", 5600.0)]
    assert hub_records(SourceConfig(hub="some/xcsr", format="xcsqa"), hub, Question) == [
        Question("q1", "en", "Where?\n(A) in a case\n(B) in soup")
    ]
    assert hub_records(SourceConfig(hub="some/flores", format="parallel"), hub, Pair) == [
        Pair(problem_id("Rain."), "sw", "question", "Mvua.", "Rain.")
    ]
    with pytest.raises(InputError, match=r"some/xcsr has no subset that format mgsm knows; it has X-CSQA-en"):
        fetched_source(SourceConfig(hub="some/xcsr", format="mgsm"), hub)
    with pytest.raises(InputError, match=r"corpora\.benchmarks\.own: cannot fetch some/mgsm \(en train\) from the Hu"):
        fetched_source(SourceConfig(hub="some/mgsm", format="mgsm", split="train"), hub)


def test_a_format_that_is_not_on_the_hub_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(InputError, match=r"corpora\.pairs: format qalign is not on the Hub; give the path"):
        fetch_corpora_steps(CorporaConfig(benchmarks={"own": "b"}, pairs=SourceConfig(hub="a/b", format="qalign")))


def test_a_dataset_of_ones_own_on_the_hub_is_known_by_its_content(hub: Path) -> None:
    rows = [{"key": 1, "gold": "12", "text": "Ngapi?"}, {"key": 2, "gold": "13", "text": "Wangapi?"}]
    dataset(hub / "team" / "maths", {"swahili": ("test", rows), "copy": ("test", rows)})
    mine = SourceConfig(
        hub="team/maths",
        subset="swahili",
        split="test",
        columns={"id": "key", "answer": "gold", "question": "text"},
        values={"language": "sw"},
    )
    assert hub_records(mine, hub, Problem) == [Problem("1", "sw", "Ngapi?", 12.0), Problem("2", "sw", "Wangapi?", 13.0)]
    one, other = (fetched_source(mine.model_copy(update={"subset": name}), hub) for name in ("swahili", "copy"))
    assert one.fingerprint == other.fingerprint


def test_subsets_of_languages_that_are_not_known_are_named_and_read_once_they_are_added(hub: Path) -> None:
    rows = {code: ("test", [{"question": f"{code}?", "answer_number": 3}]) for code in ("yor", "swa", "twi", "eng")}
    dataset(hub / "some" / "mgsm", rows)
    config = SourceConfig(hub="some/mgsm", format="mgsm")
    without, added = fetched_source(config, hub), fetched_source(config, hub, LanguageConfig(code="yo", name="Yoruba"))
    assert len(list(hub.glob("artifacts/fetch-corpus/*/record.json"))) == 2, "each run fetches what it reads"
    assert without.note is not None
    assert without.note.startswith("corpora.benchmarks.own: yor, twi: languages not known, left out")
    assert [problem.language for problem in read((without,), Problem).records] == ["en", "sw"]
    assert [problem.language for problem in read((added,), Problem).records] == ["en", "sw", "yo"]
    assert added.left_out == ("twi",)

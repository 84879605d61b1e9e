"""Sources in the configuration: a path, a section or a list of them, in a file and on the command line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from slam_ray.cli.arguments import parse_run
from slam_ray.config import InputError, SourceConfig, load_config


def written(tmp_path: Path, **corpora: Any) -> str:
    file = tmp_path / "mine.yaml"
    all_corpora = {"questions": "q.jsonl", "pairs": "p.jsonl", "benchmarks": {"own": "b.jsonl"}, **corpora}
    file.write_text(yaml.safe_dump({"model": {"path": "model"}, "corpora": all_corpora}))
    return str(file)


def test_paths_in_sections_and_lists_count_from_the_file(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        questions={"path": "q.tsv", "columns": {"id": "path"}, "values": {"language": "sw"}},
        pairs=["a.jsonl", {"path": "data/qalign", "format": "qalign"}, {"hub": "some/name", "format": "parallel"}],
        benchmarks={"mgsm": {"path": "mgsm", "format": "mgsm"}, "hub": {"hub": "openai/gsm8k", "format": "gsm8k"}},
    )
    corpora = load_config(source, {}).corpora
    assert corpora.questions == SourceConfig(
        path=str(tmp_path / "q.tsv"), columns={"id": "path"}, values={"language": "sw"}
    )
    assert corpora.pairs == (
        str(tmp_path / "a.jsonl"),
        SourceConfig(path=str(tmp_path / "data" / "qalign"), format="qalign"),
        SourceConfig(hub="some/name", format="parallel"),
    )
    assert corpora.benchmarks == {
        "mgsm": SourceConfig(path=str(tmp_path / "mgsm"), format="mgsm"),
        "hub": SourceConfig(hub="openai/gsm8k", format="gsm8k"),
    }


def test_sources_on_the_command_line_count_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    words = [
        written(tmp_path),
        *("--corpora.questions", "{path: x, format: qalign}"),
        *("--corpora.pairs", "[a.jsonl, {hub: b/c, format: parallel}]"),
        *("--corpora.benchmarks.mgsm", "{path: mgsm, format: mgsm}"),
        *("--corpora.cleaning.most_length_factor", "4"),
        *("--corpora.balance", "true"),
    ]
    arguments = parse_run(words, "run", "")
    corpora = load_config(arguments.source, arguments.values).corpora
    assert corpora.questions == SourceConfig(path=str(elsewhere / "x"), format="qalign")
    assert corpora.pairs == (str(elsewhere / "a.jsonl"), SourceConfig(hub="b/c", format="parallel"))
    assert corpora.benchmarks["own"] == str(tmp_path / "b.jsonl")
    assert corpora.benchmarks["mgsm"] == SourceConfig(path=str(elsewhere / "mgsm"), format="mgsm")
    assert (corpora.cleaning.most_length_factor, corpora.balance) == (4.0, True)


def test_a_path_on_the_command_line_takes_the_place_of_the_hub_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hub = {"hub": "juletxara/mgsm", "format": "mgsm", "revision": "a1"}
    source = written(tmp_path, benchmarks={"mgsm": hub}, questions=hub)
    words = ["--corpora.benchmarks.mgsm.path", "mgsm", "--corpora.questions.path", "q", "--model.hub", "me/mine"]
    config = load_config(source, parse_run([source, *words], "run", "").values)
    assert config.corpora.benchmarks["mgsm"] == SourceConfig(path=str(tmp_path / "mgsm"), format="mgsm")
    assert config.corpora.questions == SourceConfig(path=str(tmp_path / "q"), format="mgsm")
    assert (config.model.hub, config.model.path) == ("me/mine", None)


@pytest.mark.parametrize(
    ("corpora", "parts"),
    [
        ({"questions": {"pth": "x"}}, ["unknown key 'corpora.questions.pth'", "did you mean 'corpora.questions.path'"]),
        ({"pairs": ["a", {"path": "x", "formt": "y"}]}, ["'corpora.pairs.1.formt'", "'corpora.pairs.1.format'"]),
        ({"pairs": {"format": "qalign"}}, ["corpora.pairs: ", "give one of path and hub"]),
        ({"pairs": {"path": "x", "hub": "y"}}, ["give one of path and hub"]),
        ({"pairs": {"path": "x", "subset": "y"}}, ["subset and revision belong to hub"]),
        ({"pairs": {"path": "x", "format": "mgsm", "values": {"id": "1"}}}, ["belong to format records, not mgsm"]),
        ({"pairs": {"path": "x", "columns": {"id": "a"}, "values": {"id": "1"}}}, ["id is in columns and in values"]),
        ({"pairs": []}, ["corpora.pairs: ", "at least 1"]),
        ({"pairs": 3}, ["corpora.pairs: ", "got 3"]),
        ({"cleaning": {"loop": False}}, ["'corpora.cleaning.loop'", "'corpora.cleaning.loops'"]),
    ],
)
def test_a_wrong_source_is_named(tmp_path: Path, corpora: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_config(written(tmp_path, **corpora), {})
    for part in parts:
        assert part in str(caught.value)
    assert "(section)" not in str(caught.value)

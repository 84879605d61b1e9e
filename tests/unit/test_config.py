"""Configuration: every mistake is one message that names the key and what would be right."""

from pathlib import Path

import pytest
import yaml

from slam_ray.cli.arguments import parse_run
from slam_ray.config import InputError, RunConfig, known_keys, load_config

MINIMAL = {
    "model": {"path": "model"},
    "corpora": {
        "questions": "q.jsonl",
        "pairs": "p.jsonl",
        "benchmarks": {"own": "/data/b.jsonl"},
    },
}


def written(tmp_path: Path, **changes: object) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(MINIMAL | changes))
    return str(file)


def test_paths_count_from_the_file_or_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = load_config(
        written(tmp_path),
        {"corpora.pairs": "other.jsonl", "corpora.benchmarks.more": "m.jsonl"},
    )
    assert config.model.path == str(tmp_path / "model")
    assert config.corpora.pairs == str(elsewhere / "other.jsonl")
    assert config.corpora.benchmarks == {
        "own": "/data/b.jsonl",
        "more": str(elsewhere / "m.jsonl"),
    }


def test_overrides_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    source = written(tmp_path, training={"epochs": 2, "batch_size": 8})
    config = load_config(source, {"training.epochs": "3", "corpora.languages": "[sw, en]", "limit": "7"})
    assert (
        config.training.epochs,
        config.training.batch_size,
        config.training.seed,
    ) == (3, 8, 0)
    assert config.corpora.languages == ("sw", "en")
    assert config.limit == 7


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name: a\nlimit: 1\nlimit: 2\n", "'limit' stands twice"),
        (b"training: {epochs: 1, batch_size: 2, epochs: 3}\n", "'epochs' stands twice"),
        ("limit: 1\n".encode("utf-16"), "mine.yaml is UTF-16; save it as UTF-8"),
        ("limit: 1\n".encode("utf-16-le"), "unacceptable character #x0000"),
    ],
)
def test_a_configuration_is_read_whole_or_not(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_config(str(tmp_path / "mine.yaml"), {})
    assert said in str(caught.value)


def test_a_configuration_may_begin_with_a_byte_order_mark_and_override_what_it_merges(tmp_path: Path) -> None:
    file = Path(written(tmp_path))
    more = "limit: 3\r\ntraining: {<<: {epochs: 1, seed: 5}, epochs: 2}\r\n"
    file.write_text(f"\ufeff{file.read_text()}{more}", encoding="utf-8")
    config = load_config(str(file), {})
    assert (config.limit, config.training.epochs, config.training.seed) == (3, 2, 5)


def test_a_language_that_yaml_would_read_as_no_stays_a_text(tmp_path: Path) -> None:
    assert load_config(written(tmp_path), {"name": "no"}).name == "no"


@pytest.mark.parametrize(
    ("changes", "overrides", "parts"),
    [
        ({"trainng": {"epochs": 1}}, {}, ["'trainng'", "did you mean"]),
        ({"training": {"epoch": 1}}, {}, ["'training.epoch'", "'training.epochs'"]),
        (
            {"training": {"epochs": 0}},
            {},
            ["training.epochs", "greater than or equal to 1", "got 0"],
        ),
        (
            {"training": {"learning_rate": float("nan")}},
            {},
            ["training.learning_rate", "got nan"],
        ),
        ({"training": 3}, {}, ["training", "got 3"]),
        ({"model": {}}, {}, ["model: ", "give one of path and hub"]),
        ({"prompts": {"reasoning": "Solve this."}}, {}, ["prompts.reasoning", "query", "got 'Solve this.'"]),
        ({"prompts": {"translation": "Translate."}}, {}, ["prompts.translation", "source", "got 'Translate.'"]),
        (
            {"corpora": {"questions": "q.jsonl", "pairs": "p.jsonl", "benchmarks": {}}},
            {},
            ["corpora.benchmarks", "at least 1 item"],
        ),
        ({"selection": {"layers": [1], "first": 2}}, {}, ["selection", "at most one of layers, first, random_seed"]),
        ({}, {"training.projections": "[up, w2]"}, ["training.projections", "'up', 'down', 'gate'", "got 'w2'"]),
        ({}, {"name": "../up"}, ["name", "got '../up'"]),
        ({}, {"training.epochs": "many"}, ["training.epochs", "'many'"]),
        ({}, {"training.epochs": "[1"}, ["--training.epochs is not YAML"]),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, changes: dict, overrides: dict, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_config(written(tmp_path, **changes), overrides)
    for part in parts:
        assert part in str(caught.value)


def test_a_file_that_is_not_a_mapping_or_not_yaml(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    for content in (b"- 1", b"a: [", b"\xff\xfe", b""):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"mine\.yaml"):
            load_config(str(file), {})
    with pytest.raises(InputError, match=r"no such configuration file.*none\.yaml"):
        load_config(str(tmp_path / "none.yaml"), {})


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'demo'"):
        load_config("dmo", {})


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["demo", "--training.epoch", "1"], "did you mean 'training.epochs'"),
        (["demo", "--dry-rum"], "did you mean 'dry-run'"),
        (["demo", "--training.epochs"], "--training.epochs: expected one argument"),
        (["demo", "--training.epochs", "--dry-run"], "--training.epochs: expected one argument"),
        (["demo", "more"], "demo more"),
        ([], "got none"),
    ],
)
def test_a_wrong_command_line_is_named(argv: list[str], part: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_run(argv, "run", "")
    assert part in str(caught.value)


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--training.epochs", "2", "demo", "--dry-run", "--training.learning_rate=1e-3"]
    arguments = parse_run(argv, "run", "")
    assert arguments.source == "demo"
    assert arguments.values == {"training.epochs": "2", "training.learning_rate": "1e-3"}
    assert arguments.dry_run
    with pytest.raises(SystemExit):
        parse_run(["--help"], "run", "Runs.")
    shown = capsys.readouterr().out
    assert all(f"--{key}" in shown for key, _ in known_keys())


def test_sections_are_immutable() -> None:
    config = RunConfig.model_validate({"name": "a", "storage": "s", **MINIMAL})
    with pytest.raises(ValueError, match="frozen"):
        config.training.epochs = 3  # type: ignore[misc]

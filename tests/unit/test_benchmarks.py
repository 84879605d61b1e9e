"""The benchmarks: both sides read the same texts, ratios are the repeats', the README holds the last figures."""

import argparse
import json
import random
from pathlib import Path

import pytest

from benchmarks import counting, generation, growth, orchestration, table, training
from benchmarks.measurement import (
    BASELINES,
    Baselines,
    Figures,
    Repeat,
    Side,
    against_peers,
    alternate,
    digest,
    figures,
    file_name,
    finish,
    in_fresh_process,
)
from slam_ray.cluster.local.head import LocalRay
from tests.models import tiny_llama

LANGUAGES = ("en", "de", "sw")
WORDS = ["tom", "ana", "kauft", "apples", "verkauft", "three", "zwei", "seven", "cars"]
COUNT = 4  # questions, each in every language


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> argparse.Namespace:
    """A tiny model and texts of different lengths, as the arguments of all benchmarks."""
    folder, chosen = tmp_path_factory.mktemp("benchmarks"), random.Random(0)

    def text() -> str:
        return " ".join(chosen.choice(WORDS) for _ in range(chosen.randint(2, 12)))

    questions = [
        {"id": f"q{number}", "language": language, "question": text()}
        for language in LANGUAGES
        for number in range(COUNT)
    ]
    pairs = [
        {"id": f"p{number}", "language": language, "kind": "question", "source": text(), "english": text()}
        for language in LANGUAGES[1:]
        for number in range(12)
    ]
    for name, rows in (("questions", questions), ("pairs", pairs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return argparse.Namespace(
        model=str(tiny_llama(folder / "model")),
        dtype="bfloat16",
        workers=2,
        repeats=1,
        questions=str(folder / "questions.jsonl"),
        questions_format="records",
        pairs=str(folder / "pairs.jsonl"),
        pairs_format="records",
        batch=4,
        layers=2,
        micro_batch=2,
        count=COUNT,
        new_tokens=8,
    )


def test_training_and_its_peer_read_the_same_pairs(
    ray_cluster: LocalRay, inputs: argparse.Namespace, tmp_path: Path
) -> None:
    task = training.task_of(inputs, tmp_path, 3)
    ours, peer = training.ours(task), in_fresh_process(training.peer, task)
    assert ours.texts == peer.texts
    assert ours.amount == peer.amount == (3 - training.WARM_UP_STEPS) * inputs.batch
    assert ours.tokens == peer.tokens > 10 * ours.amount
    assert ours.flops == peer.flops > 0
    assert min(ours.seconds, peer.seconds) > 0


def test_counting_and_its_peers_read_the_same_texts(
    ray_cluster: LocalRay, inputs: argparse.Namespace, tmp_path: Path
) -> None:
    task = counting.task_of(inputs, tmp_path, COUNT)
    ours, peer = counting.ours(task), counting.peer(task, counting.SORTED, 2)
    assert ours.texts == peer.texts
    units = counting.units_of(task)
    assert len(units) == len(LANGUAGES)
    every = sum(len(question.tokens) for unit in units for batch in unit.passes for question in batch)
    assert peer.tokens == every
    assert 0 < ours.tokens < every, "what was done when the first unit was saved is left out"
    assert ours.flops / ours.tokens == pytest.approx(peer.flops / peer.tokens)


def test_generation_and_its_peer_answer_the_same_prompts(
    ray_cluster: LocalRay, inputs: argparse.Namespace, tmp_path: Path
) -> None:
    task = generation.task_of(inputs, tmp_path)
    ours, peer = generation.ours(task), in_fresh_process(generation.peer, task)
    assert ours.texts == peer.texts
    assert 0 < ours.tokens <= COUNT * len(LANGUAGES) * inputs.new_tokens
    assert 0 < peer.tokens <= COUNT * len(LANGUAGES) * inputs.new_tokens


def repeat_of(seconds: float, texts: str = "") -> Repeat:
    return Repeat(seconds=seconds, amount=30, tokens=300, flops=3e9, texts=texts)


def test_the_ratio_is_that_of_the_medians_of_repeats_in_turn() -> None:
    order: list[str] = []
    seconds = {"ours": iter([1.0, 3.0, 2.0]), "theirs": iter([4.0, 6.0, 5.0])}

    def measured(name: str) -> Repeat:
        order.append(name)
        return repeat_of(next(seconds[name]))

    repeats = alternate({name: lambda name=name: measured(name) for name in seconds}, 3)  # type: ignore[misc]
    assert order == ["ours", "theirs"] * 3
    (comparison,) = against_peers(repeats, {"theirs": 1.6}, peak=1e10)
    assert comparison.ours.repeats == (30.0, 10.0, 15.0)
    assert comparison.ratio == 15 / 6
    assert comparison.at_least == 1.6
    assert comparison.ours.tokens_per_second == 150
    assert comparison.ours.share_of_peak == 0.15


def test_sides_that_read_other_texts_are_not_compared() -> None:
    assert digest([(1, 2), (3,)]) == digest([(3,), (1, 2)]) != digest([(1,), (2, 3)])
    with pytest.raises(AssertionError, match="not the same texts"):
        against_peers({"ours": [repeat_of(1, "a")], "theirs": [repeat_of(1, "b")]}, {}, 1.0)


def some_figures(benchmark: str, seconds: float) -> Figures:
    repeats = {"ours": [repeat_of(seconds)], "theirs": [repeat_of(6.0)]}
    return figures(benchmark, "pairs/s", "a test", against_peers(repeats, {"theirs": 1.6}, 1e10), 1e10)


def test_the_last_line_is_json_and_what_is_kept_replaces_the_same_benchmarks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for found in (some_figures("training", 3.0), some_figures("growth", 3.0), some_figures("training", 2.0)):
        finish(found, keep=True, folder=tmp_path)
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["ratio"] == last["comparisons"][0]["ratio"] == 3.0
    assert {"benchmark", "date", "unit", "work", "peak", "machine"} < last.keys()
    (file,) = tmp_path.iterdir()
    assert file.stem == file_name(found.machine)
    assert {name: each.ratio for name, each in Baselines.model_validate_json(file.read_text()).figures.items()} == {
        "growth": 2.0,
        "training": 3.0,
    }
    assert "| training, pairs/s | 15 | theirs: 5 | 3.00 | at least 1.6 |" in table.figures_of_all_machines(tmp_path)


def test_growth_compares_more_work_with_the_least_and_two_workers_with_one() -> None:
    rates = {(1, 1): 10.0, (1, 4): 9.0, (1, 16): 8.0, (2, 1): 18.0, (2, 4): 18.0, (2, 16): 12.0}
    measured = {
        name: Side(name=name, repeats=(rate,), median=rate)
        for kind in ("counting", "training")
        for (workers, times), rate in rates.items()
        for name in [growth.side_name(kind, workers, times)]
    }
    more, speedup = growth.comparisons(measured)
    assert [each.ratio for each in more] == [0.9, 0.8, 1.0, 0.667] * 2
    assert [each.ratio for each in speedup] == [1.5, 1.5]


def test_process_starts_count_on_neither_side_of_the_orchestration() -> None:
    kinds = frozenset({"count", "train"})
    run = orchestration.Run(100.0, 20.0, {"count": 30.0, "select": 1.0, "train": 39.0}, kinds, 2**30)
    smoke = orchestration.Run(50.0, 20.0, {"count": 10.0, "select": 1.0, "train": 12.0}, kinds, 2**29)
    assert orchestration.net(run, smoke) == (58.0, 48.0, 2**30)
    lines = [(1.0, "count  to do\n"), (6.0, "Ray dashboard: http\n"), (14.5, "questions: 0a\n"), (15.0, "\n")]
    assert orchestration.starts(lines) == 13.5


def test_the_readme_holds_the_last_figures() -> None:
    text = table.README.read_text()
    assert table.with_table(text) == text, "run python -m benchmarks.table"
    for file in BASELINES.glob("*.json"):
        kept = Baselines.model_validate_json(file.read_text()).figures
        assert {file_name(each.machine) for each in kept.values()} == {file.stem}
        assert {name: each.benchmark for name, each in kept.items()} == {name: name for name in kept}

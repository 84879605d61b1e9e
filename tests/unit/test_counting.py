"""Counting in process: the plan's promises, the tokens that count, and exact counts against a plain reference."""

import hashlib
from collections import Counter as Tally
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slam_ray.activations import Counts, read_counts, write_counts
from slam_ray.activations.counter import Counter
from slam_ray.activations.counting import count_step, plan
from slam_ray.activations.plan import Encoded, Unit, chosen_ids, encode, plan_hash, plan_units
from slam_ray.activations.states import map_states, mapped_layers
from slam_ray.activations.unit_counts import GroupSums, save_unit, saved_units
from slam_ray.config import ActivationsConfig, CountedConfig, InputError, PromptsConfig
from slam_ray.config.schema import CountedText, CountedTokens
from slam_ray.corpora import Prepared, Question
from slam_ray.corpora.prompts import reasoning_prompt
from slam_ray.models.families import FAMILIES
from slam_ray.models.loading import load_model, load_tokenizer
from slam_ray.models.reference import ModelRef, base_model
from slam_ray.store.artifact import Artifact
from slam_ray.store.local import LocalLocation
from slam_ray.store.step import Artifacts, known
from slam_ray.store.storage import Storage
from tests.configs import run_config
from tests.counting import LANGUAGES, questions, reference_counts
from tests.models import loaded, tiny_llama, tiny_model

BUMP = "the count step gives another result for the same input: raise its version in activations/counting.py"


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"), layers=3)


def assert_counts_equal_the_reference(base: ModelRef, activations: ActivationsConfig) -> None:
    corpus, prompts = questions(6), PromptsConfig()
    answers = (
        {(item.language, item.id): f" {item.id} it is" for item in corpus} if activations.text == "answer" else None
    )
    units = plan(activations, prompts, corpus, base, LANGUAGES, answers)
    model, reference = load_model(base, "float64"), load_model(base, "float64")
    reference.set_attn_implementation("eager")  # transformers' own
    activated, tokens = reference_counts(
        reference, base.family, corpus, prompts, activations.groups, activations.text, activations.tokens, answers
    )
    counter, sums = Counter(model, base.family), GroupSums(units, LANGUAGES)
    for number, unit in reversed(list(enumerate(units))):
        sums.add(number, counter.count(unit.passes))
    counts = sums.counts()
    np.testing.assert_array_equal(counts.tokens, tokens)
    np.testing.assert_array_equal(counts.activated, activated)
    assert counts.activated.dtype == np.uint32
    assert 0 < activated.sum() < tokens.sum() * activated[0, 0].size


@pytest.mark.parametrize("family", FAMILIES)
def test_counts_equal_the_reference(family: str, tmp_path: Path) -> None:
    base = base_model(str(tiny_model(tmp_path, family, layers=3)))
    assert_counts_equal_the_reference(base, ActivationsConfig(groups=4, token_budget=900))


@pytest.mark.parametrize("text", get_args(CountedText))
@pytest.mark.parametrize("tokens", get_args(CountedTokens))
def test_any_text_and_tokens_are_counted_as_the_reference_counts_them(
    text: CountedText, tokens: CountedTokens, llama: Path
) -> None:
    activations = ActivationsConfig(groups=4, token_budget=900, text=text, tokens=tokens)
    assert_counts_equal_the_reference(base_model(str(llama)), activations)


def test_other_measurements_do_not_change_the_count(llama: Path, tmp_path: Path) -> None:
    prepared = Prepared(records=dict.fromkeys(LANGUAGES, 6), left_out=0)
    corpus, base = Artifact("questions", "0" * 20, _result=prepared), known(base_model(str(llama)))

    def fingerprint(**activations: bool) -> str:
        step = count_step(run_config(activations=activations), corpus, base)
        return Artifacts(Storage(tmp_path)).identity(step).fingerprint

    assert fingerprint() == fingerprint(tuned=True, states=True)


@pytest.mark.parametrize(("layers", "found"), [(32, (1, 12, 22, 32)), (8, (1, 3, 6, 8)), (2, (1, 2))])
def test_states_are_taken_at_the_papers_depths(layers: int, found: tuple[int, ...]) -> None:
    assert mapped_layers(layers) == found


def test_states_are_those_of_the_last_counted_token(llama: Path, tmp_path: Path) -> None:
    corpus, base, activations = questions(6), base_model(str(llama)), CountedConfig(text="prompt", tokens="last")
    ids = sorted({question.id for question in corpus})
    arguments = corpus, ids, LANGUAGES, activations, PromptsConfig(), base, "float32"
    assert [map_states(*arguments, LocalLocation(tmp_path / name), "cpu") for name in ("a", "b")] == [(1, 2, 3)] * 2
    found, again = (np.load(tmp_path / name / "states.npz") for name in ("a", "b"))
    assert found["states"].shape == (3, len(LANGUAGES), len(ids), 64)
    assert found["map"].shape == (3, len(LANGUAGES), len(ids), 2)
    assert all(np.array_equal(found[name], again[name]) for name in ("states", "map"))
    model, tokenizer = load_model(base, "float32"), load_tokenizer(llama)
    for question in corpus[::5]:
        text = reasoning_prompt(PromptsConfig(), question.question)
        with torch.no_grad():
            output = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        for depth, layer in enumerate((1, 2, 3)):
            mine = found["states"][depth, LANGUAGES.index(question.language), ids.index(question.id)]
            np.testing.assert_allclose(mine, output.hidden_states[layer][0, -1].numpy(), atol=2e-5)


def test_states_that_overflow_are_reported(llama: Path) -> None:
    model = loaded(llama)
    model.get_parameter("model.layers.1.mlp.down_proj.weight").data.fill_(float("inf"))
    question = Encoded("q", "en", (0, 5, 6, 7), 1, 4)
    with pytest.raises(InputError, match=r"not finite in torch\.float32"):
        Counter(model, base_model(str(llama)).family).count([[question]])


def test_only_tokens_of_the_question_are_counted(llama: Path) -> None:
    tokenizer = load_tokenizer(llama)
    for question in questions(3):
        (one,) = encode([question], ActivationsConfig(), PromptsConfig(), tokenizer)
        assert tokenizer.decode(list(one.tokens[one.start : one.end])) == question.question
        assert str(tokenizer.decode(list(one.tokens[: one.start]))).endswith("### Instruction:\n")


def test_a_question_without_tokens_is_an_error(llama: Path) -> None:
    with pytest.raises(InputError, match="question q1 in sw"):
        encode([Question("q1", "sw", "")], ActivationsConfig(), PromptsConfig(), load_tokenizer(llama))


def encoded_questions() -> st.SearchStrategy[list[Encoded]]:
    """Parallel questions whose prompts take 1 to 40 tokens."""
    lengths = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=30)
    return lengths.map(
        lambda pairs: [
            Encoded(f"q{index}", language, tuple(range(length)), 0, length)
            for index, pair in enumerate(pairs)
            for language, length in zip(("en", "sw"), pair, strict=True)
        ]
    )


@settings(max_examples=60, deadline=None)
@given(encoded_questions(), st.integers(1, 5), st.integers(40, 200), st.randoms(use_true_random=False))
def test_a_plan_holds_every_question_once_within_the_budget(
    encoded: list[Encoded], groups: int, budget: int, random: Any
) -> None:
    ids = chosen_ids((question.id for question in encoded), 1000)
    units = plan_units(encoded, ids, groups, budget)
    planned = [(unit, question) for unit in units for batch in unit.passes for question in batch]
    assert Tally(question for _, question in planned) == Tally(encoded)
    assert all(unit.language == question.language for unit, question in planned)
    assert all(sum(len(q.tokens) for q in batch) <= budget for unit in units for batch in unit.passes)
    # All languages of a question are in one group, and groups differ by one question at most.
    groups_of = {(question.id, unit.group) for unit, question in planned}
    assert len(groups_of) == len(ids)
    sizes = Tally(group for _, group in groups_of)
    assert max(sizes.values()) - min(sizes.get(group, 0) for group in range(groups)) <= 1
    shuffled = random.sample(encoded, len(encoded))
    assert plan_units(shuffled, ids, groups, budget) == units


def test_long_work_is_cut_into_parts() -> None:
    encoded = [Encoded(f"q{index}", "en", (0,) * 10, 1, 5) for index in range(100)]
    units = plan_units(encoded, [question.id for question in encoded], groups=1, token_budget=20)
    assert [len(unit.passes) for unit in units] == [16, 16, 16, 2]
    assert [unit.questions for unit in units] == [32, 32, 32, 4]
    assert sum(unit.tokens for unit in units) == 400


def test_a_question_over_the_budget_is_named() -> None:
    with pytest.raises(InputError, match="token_budget is 20, but question q7 in th takes 21 tokens"):
        plan_units([Encoded("q7", "th", (0,) * 21, 0, 1)], ["q7"], 1, 20)


def test_the_chosen_questions_do_not_depend_on_the_order_of_the_corpus() -> None:
    ids = [f"problem {number}" for number in range(50)]
    assert chosen_ids(reversed(ids), 10) == chosen_ids(ids, 10)
    assert chosen_ids(ids, 10) == chosen_ids(ids, 50)[:10] != sorted(ids)[:10]


def test_no_group_is_empty_with_few_questions(llama: Path) -> None:
    units = plan(ActivationsConfig(groups=20), PromptsConfig(), questions(3), base_model(str(llama)), LANGUAGES)
    assert {unit.group for unit in units} == {0, 1, 2}


def test_finished_units_survive_and_torn_ones_do_not(tmp_path: Path) -> None:
    units = [
        Unit(0, "en", ((Encoded("q0", "en", (0, 1), 1, 2),),)),
        Unit(1, "en", ((Encoded("q1", "en", (0,), 0, 1),),)),
    ]
    folder = LocalLocation(tmp_path)
    assert list(saved_units(folder / "never made")) == []
    counted = np.arange(6, dtype=np.uint32).reshape(2, 3)
    save_unit(folder, 1, counted)
    (tmp_path / "torn.draft").write_bytes(b"\x93NUMPY")
    sums = GroupSums(units, ["en"])
    for number, saved in saved_units(folder):
        sums.add(number, saved)
    assert sums.missing == [0]
    with pytest.raises(AssertionError, match="unit 1 was counted twice"):
        sums.add(1, counted)
    with pytest.raises(AssertionError, match=r"units \[0\] were not counted"):
        sums.counts()


def test_plans_and_devices_are_kept_apart() -> None:
    one = [Unit(0, "en", ((Encoded("q0", "en", (0, 1), 1, 2),),))]
    other = [Unit(0, "en", ((Encoded("q0", "en", (0, 2), 1, 2),),))]
    assert len({plan_hash(one, "cpu"), plan_hash(one, "cuda"), plan_hash(other, "cpu")}) == 3


def good_counts() -> dict[str, Any]:
    return {
        "languages": np.array(["en", "sw"]),
        "activated": np.ones((3, 2, 4, 5), dtype=np.uint32),
        "tokens": np.full((3, 2), 7),
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tokens": None}, "holds no array 'tokens'"),
        ({"languages": np.array(["en", "en"])}, "names one twice"),
        ({"languages": np.array([1, 2])}, "list of strings"),
        ({"languages": np.array(["en", "sw", "de"])}, "does not fit 3 languages"),
        ({"activated": np.ones((2, 4, 5), dtype=int)}, "`tokens` must hold"),
        ({"activated": np.ones((2, 4))}, "not of shape"),
        ({"activated": np.ones((3, 2, 4, 5))}, "must be integers, not float64"),
        ({"activated": -np.ones((3, 2, 4, 5), dtype=int)}, "negative"),
        ({"activated": np.full((3, 2, 4, 5), 8)}, "group 0, en: a neuron is activated at more tokens"),
        ({"tokens": np.ones((2, 3), dtype=int)}, "`tokens` must hold"),
        (
            {"activated": np.zeros((3, 2, 4, 5), dtype=int), "tokens": np.array([[7, 7], [7, 0], [7, 0]])},
            "sw: no tokens",
        ),
        ({"activated": np.array([object()])}, "not an .npz file of plain arrays"),
    ],
)
def test_a_bad_counts_file_is_explained(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    arrays = {name: array for name, array in (good_counts() | change).items() if array is not None}
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError, match=said.replace("[", r"\[")):
        read_counts(tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"{}", None])
def test_a_file_that_is_no_counts_file_is_explained(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "counts.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"counts\.npz: not an \.npz file"):
        read_counts(file)


def test_counts_are_read_as_they_were_written(tmp_path: Path) -> None:
    counts = Counts(("en", "sw"), good_counts()["activated"], good_counts()["tokens"])
    write_counts(tmp_path / "counts.npz", counts)
    again = read_counts(tmp_path / "counts.npz")
    assert again.languages == counts.languages
    np.testing.assert_array_equal(again.activated, counts.activated)
    np.testing.assert_array_equal(again.tokens, counts.tokens)
    np.savez(tmp_path / "flat.npz", languages=["en", "sw"], activated=counts.activated[0], tokens=counts.tokens[0])
    assert read_counts(tmp_path / "flat.npz").activated.shape == (1, 2, 4, 5)


def test_golden_plan(llama: Path) -> None:
    activations = ActivationsConfig(questions=5, groups=2, token_budget=700)
    units = plan(activations, PromptsConfig(), questions(8), base_model(str(llama)), LANGUAGES)
    assert hashlib.sha256(repr(units).encode()).hexdigest()[:16] == "796ad7908a43c771", BUMP

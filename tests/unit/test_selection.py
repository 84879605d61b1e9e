"""Selection: cases small enough to compute by hand, a second implementation in exact fractions, and its errors."""

import hashlib
import json
import pickle
import re
from fractions import Fraction
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slam_ray.activations import COUNTS_FILE, CountResult, Counts, write_counts
from slam_ray.config import InputError, SelectionConfig
from slam_ray.selection import (
    SELECTION_FILE,
    NothingSelected,
    alternatives_table,
    layer_ranges,
    select,
    select_step,
)
from slam_ray.selection.rule import activated_share, apply_rule, overlap_with_english
from slam_ray.selection.step import SELECT_VERSION
from slam_ray.store.artifact import Artifact
from tests.artifacts import artifact_of
from tests.corpora import cases, fingerprint, made

RAISE = "the select step gives another result for the same counts: raise its version in selection/step.py"


CASES = cases("selection")


def counts_of(name: str) -> Counts:
    """The counts of this name in fixtures/cases/selection.yaml, over ten tokens in one group."""
    by_language = CASES["counts"][name]
    activated = np.array([list(by_language.values())])
    return Counts(tuple(by_language), activated, np.full(activated.shape[:2], 10))


def falling() -> Counts:
    """Counts whose overlap is highest in layer 0."""
    return counts_of("falling")


def exact(value: Any) -> Any:
    """What the YAML says, its fractions as numbers and its lists as tuples."""
    if isinstance(value, list):
        return tuple(map(exact, value))
    return float(Fraction(value)) if isinstance(value, str) and re.fullmatch(r"\d+/\d+", value) else value


@pytest.mark.parametrize("case", CASES["selected"], ids=itemgetter("shows"))
def test_selections_by_hand(case: dict[str, Any]) -> None:
    result = select(counts_of(case["counts"]), SelectionConfig(**case.get("options", {})))
    for key, value in case["result"].items():
        found = getattr(result, key)
        if isinstance(value, dict):
            assert found == {code: pytest.approx(exact(row)) for code, row in value.items()}, key
        else:
            text = value is None or isinstance(exact(value), str)
            assert found == (value if text else pytest.approx(exact(value))), key


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["says"][0])
def test_what_cannot_be_selected_is_explained(case: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=".*".join(map(re.escape, case["says"]))):
        select(counts_of(case["counts"]), SelectionConfig(**case.get("options", {})))


@pytest.mark.parametrize("share", [0.5, 0.4])
def test_the_alternatives_are_the_rule_asked_otherwise(share: float) -> None:
    """The table of nine equals nine applications by hand, and a tenth share has its own three lines."""
    config = SelectionConfig(overlap="coverage", neuron_share=share, theta_factor=0.8, max_layer_share=0.5)
    result = select(fixed_counts(), config)
    shares = sorted({0.3, 0.5, 0.7, share})
    assert [(one.overlap, one.neuron_share) for one in result.alternatives] == [
        (overlap, each) for overlap in ("jaccard", "coverage", "english") for each in shares
    ]
    counts = fixed_counts()
    activated, tokens = counts.activated.sum(axis=0), counts.tokens.sum(axis=0)
    for one in result.alternatives:
        asked = SelectionConfig(
            overlap=one.overlap, neuron_share=one.neuron_share, theta_factor=0.8, max_layer_share=0.5
        )
        ruling = apply_rule(
            activated_share(activated, tokens), overlap_with_english(activated, tokens, 1, asked), asked
        )
        assert (one.highest, one.peak, one.k_end, one.layers) == (
            ruling.highest, ruling.peak, ruling.k_end, ruling.layers,
        )  # fmt: skip
    (configured,) = (one for one in result.alternatives if one.configured)
    assert (configured.overlap, configured.neuron_share, configured.layers) == ("coverage", share, result.layers)
    lines = alternatives_table(result.alternatives).splitlines()
    assert len(lines) == 2 + len(result.alternatives)
    assert max(map(len, lines)) <= 80
    assert re.search(rf"^coverage +{share:g}\* +{configured.highest} +{configured.peak} +0-5 +", "\n".join(lines), re.M)


def test_layers_are_written_as_ranges() -> None:
    assert layer_ranges((0, 1, 2, 4, 6, 7)) == "0-2 4 6-7"
    assert layer_ranges([3]) == "3"
    assert layer_ranges(range(0)) == "none"


def test_the_layers_of_the_ablations() -> None:
    """Figure 4: the first ones, all, and as many random ones as the rule selects."""
    counts = fixed_counts()
    ruled = select(counts, SelectionConfig())
    first = select(counts, SelectionConfig(first=5))
    assert (first.layers, first.chosen_by, first.rule_layers) == ((0, 1, 2, 3, 4), "first", ruled.layers)
    everything = select(counts, SelectionConfig(all_layers=True))
    assert (everything.layers, everything.chosen_by) == (tuple(range(12)), "all")
    drawn = [select(counts, SelectionConfig(random_seed=seed)) for seed in range(40)]
    assert {(len(set(one.layers)), one.chosen_by) for one in drawn} == {(len(ruled.layers), "random")}
    assert all(one.layers == tuple(sorted(one.layers)) for one in drawn)
    assert {layer for one in drawn for layer in one.layers} == set(range(12)), "any layer may be drawn"
    assert select(counts, SelectionConfig(random_seed=3)).layers == drawn[3].layers == (0, 2, 8), RAISE


def reference(counts: Counts, config: SelectionConfig) -> dict[str, Any]:
    """The rule once more, neuron by neuron, in exact fractions."""
    groups, _, layers, neurons = counts.activated.shape
    english, others = counts.languages.index("en"), [i for i, code in enumerate(counts.languages) if code != "en"]

    def rule(kept_groups: list[int], kept_others: list[int]) -> dict[str, Any]:
        def neuron(language: int, layer: int, place: int) -> Fraction:
            tokens = sum(int(counts.tokens[g, language]) for g in kept_groups)
            return Fraction(sum(int(counts.activated[g, language, layer, place]) for g in kept_groups), tokens)

        def members(language: int, layer: int) -> set[int]:
            return {p for p in range(neurons) if neuron(language, layer, p) > Fraction(str(config.neuron_share))}

        def overlap(language: int, layer: int) -> Fraction:
            other, en = members(language, layer), members(english, layer)
            over = {"jaccard": other | en, "coverage": other, "english": en}[config.overlap]
            return Fraction(len(other & en), len(over)) if over else Fraction(0)

        def msd(layer: int) -> Fraction:
            share = [sum(neuron(i, layer, p) for p in range(neurons)) / neurons for i in [english, *kept_others]]
            mean = sum(share, Fraction(0)) / len(share)
            return sum(((value - mean) ** 2 for value in share), Fraction(0)) / len(share)

        mean = [sum(overlap(i, layer) for i in kept_others) / len(kept_others) for layer in range(layers)]
        k = range(mean.index(max(mean)))  # the paper's
        if len(k) < 2:
            k = range(2 + mean[2:].index(max(mean[2:])) if layers > 2 else 0)
        theta = Fraction(config.theta_factor) * sum(map(msd, k), Fraction(0)) / len(k) if k else None
        selected = tuple(i for i in k if theta is not None and msd(i) > theta)
        highest = mean.index(max(mean))
        return {"mean_overlap": mean, "highest": highest, "k_end": len(k), "theta": theta, "selected": selected}

    everything = list(range(groups))
    found = rule(everything, others)
    resampled = [rule(everything, [i for i in others if i != one]) for one in others if len(others) > 1]
    resampled += [rule([g for g in everything if g != one], others) for one in everything if groups > 1]
    found["stability"] = [
        sum(i in r["selected"] for r in resampled) / len(resampled) for i in range(layers) if resampled
    ]
    return found


@st.composite
def drawn_counts(draw: st.DrawFn) -> Counts:
    """Few groups, languages, layers and neurons, so that ties and empty sets are common."""
    groups, n = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    layers, neurons = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tokens = rng.integers(1, 5, size=(groups, n))
    activated = rng.integers(0, tokens[..., None, None] + 1, size=(groups, n, layers, neurons))
    languages = draw(st.permutations(["en", "bn", "sw", "th"][:n]))
    return Counts(tuple(languages), activated, tokens)


@settings(max_examples=150, deadline=None)
@given(
    drawn_counts(),
    st.sampled_from(["jaccard", "coverage", "english"]),
    st.sampled_from([0.0, 0.3, 0.5, 0.75]),
    st.sampled_from([0.5, 1.0, 1.5]),
)
def test_the_rule_equals_a_second_implementation(counts: Counts, overlap: Any, share: float, factor: float) -> None:
    config = SelectionConfig(overlap=overlap, neuron_share=share, theta_factor=factor)
    expected = reference(counts, config)
    if not expected["selected"]:
        with pytest.raises(InputError):
            select(counts, config)
    # With a typed layer the rule's numbers come out whether or not it selects something.
    result = select(counts, config.model_copy(update={"layers": (0,)}))
    assert result.rule_layers == expected["selected"]
    assert result.k_end == expected["k_end"]
    assert result.highest == expected["highest"]
    # Where the paper's rule has an answer, that is taken.
    assert bool(result.where_highest) == (expected["highest"] < 2 < len(expected["mean_overlap"]))
    assert result.where_highest or result.peak in (expected["highest"], None)
    assert result.mean_overlap == pytest.approx([float(value) for value in expected["mean_overlap"]])
    assert result.stability == pytest.approx(expected["stability"])
    assert (result.theta is None) == (expected["theta"] is None)
    if result.theta is not None:
        assert result.theta == pytest.approx(float(expected["theta"]), abs=1e-15)


def test_a_selection_of_nothing_says_all_that_it_came_to() -> None:
    """Under the error what other options would select; with it what the figures need, also from another process."""
    with pytest.raises(NothingSelected) as caught:
        select(falling(), SelectionConfig(theta_factor=9))
    found = caught.value.result
    assert (found.layers, found.peak, len(found.msd)) == ((), 3, 5)
    assert str(caught.value).endswith(f"\n\n{alternatives_table(found.alternatives)}")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.result) == (str(caught.value), found)


def fixed_counts() -> Counts:
    """Three groups, four languages, twelve layers: the languages draw together from layer to layer."""
    rng = np.random.default_rng(11)
    tokens = rng.integers(900, 1100, size=(3, 4))
    common, specific = rng.random((12, 32)), rng.random((4, 12, 32))
    weight = np.minimum(np.arange(12) / 7, 1)[:, None]
    rate = weight * common + (1 - weight) * specific
    activated = np.floor(rate * tokens[..., None, None]).astype(np.uint32)
    return Counts(("bn", "en", "sw", "th"), activated, tokens)


@pytest.mark.parametrize(
    ("config", "digests"),
    [
        (SelectionConfig(), {2: "7bef57cdd7646151"}),
        (SelectionConfig(overlap="coverage", neuron_share=0.3, theta_factor=0.8), {2: "4d315f25b92c356f"}),
        (SelectionConfig(overlap="english", max_layer_share=0.3), {2: "7b8b0bb6a280cb91"}),
    ],
)
def test_golden(config: SelectionConfig, digests: dict[int, str]) -> None:
    result = select(fixed_counts(), config).model_dump(mode="json")
    # Ten digits: the last ones of a float sum may differ between processors.
    text = json.dumps(json.loads(json.dumps(result), parse_float=lambda digits: f"{float(digits):.10g}"))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digests.get(SELECT_VERSION), RAISE


@pytest.fixture
def counts(tmp_path: Path) -> Artifact[CountResult]:
    write_counts(tmp_path / COUNTS_FILE, fixed_counts())
    return artifact_of(tmp_path)


def test_the_step_writes_its_selection(counts: Artifact[CountResult], tmp_path: Path) -> None:
    step = select_step(SelectionConfig(), counts)
    other = select_step(SelectionConfig(neuron_share=0.4), counts)
    assert fingerprint(step, tmp_path) != fingerprint(other, tmp_path)
    artifact = made(step, tmp_path / "storage")
    assert json.loads(artifact.file(SELECTION_FILE).read_text()) == artifact.result.model_dump(mode="json")
    assert artifact.result == select(fixed_counts(), SelectionConfig())
    assert len(artifact.result.stability) == 12
    assert artifact.result.resamples == 3 + 3


def test_a_tuned_model_is_described_with_the_layers_that_were_tuned(
    counts: Artifact[CountResult], tmp_path: Path
) -> None:
    """The artifact is that of the same layers typed, so it is found again by who types them."""
    config = SelectionConfig(first=5, overlap="coverage", theta_factor=0.8, max_layer_share=0.6)
    layers = select_step(config, counts)
    described = made(select_step(config, counts, layers), tmp_path / "storage")
    assert (described.result.layers, described.result.chosen_by) == ((0, 1, 2, 3, 4), "config")
    typed = SelectionConfig(layers=(0, 1, 2, 3, 4), overlap="coverage", theta_factor=0.8, max_layer_share=0.6)
    assert described.fingerprint == fingerprint(select_step(typed, counts), tmp_path)

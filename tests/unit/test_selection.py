"""Selection: cases small enough to compute by hand, a second implementation in exact fractions, and its errors."""

import hashlib
import json
import pickle
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slam_ray.activations import COUNTS_FILE, CountResult, Counts, write_counts
from slam_ray.config import ExecutionConfig, InputError, SelectionConfig
from slam_ray.pipeline.context import Context
from slam_ray.pipeline.step import Artifact
from slam_ray.pipeline.storage import Storage
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
from tests.artifacts import artifact_of

BUMP = "the select step gives another result for the same counts: raise its version in selection/step.py"


def ten_tokens(**languages: list[list[int]]) -> Counts:
    """Counts over ten tokens in one group: language -> layers -> neurons."""
    activated = np.array([list(languages.values())])
    return Counts(tuple(languages), activated, np.full(activated.shape[:2], 10))


def example() -> Counts:
    """Four layers of four neurons. By hand, with sets of the neurons activated at more than half of ten tokens:

    layer   S_en       S_sw       jaccard  coverage  english   A_en   A_sw   MSD
    0       {0,1}      {2}        0        0         0         18/40  8/40   1/64
    1       {0,1,2}    {0}        1/3      1         1/3       24/40  12/40  9/400
    2       {0,1}      {0,1,3}    2/3      2/3       1         20/40  24/40  1/400
    3       {0,1}      {0}        1/2      1         1/2       16/40  12/40  1/400
    """
    return ten_tokens(
        en=[[9, 7, 2, 0], [8, 8, 8, 0], [9, 9, 1, 1], [8, 8, 0, 0]],
        sw=[[1, 0, 7, 0], [9, 3, 0, 0], [8, 8, 0, 8], [9, 3, 0, 0]],
    )


def test_the_rule_by_hand() -> None:
    result = select(example(), SelectionConfig())
    assert list(result.overlap) == ["sw"]
    assert result.overlap["sw"] == pytest.approx((0, 1 / 3, 2 / 3, 1 / 2))
    assert result.mean_overlap == result.overlap["sw"]
    assert result.share["en"] == pytest.approx((0.45, 0.6, 0.5, 0.4))
    assert result.share["sw"] == pytest.approx((0.2, 0.3, 0.6, 0.3))
    assert result.msd == pytest.approx((1 / 64, 9 / 400, 1 / 400, 1 / 400))
    assert (result.highest, result.peak, result.k_end, result.where_highest) == (2, 2, 2, "")
    assert result.theta == pytest.approx((1 / 64 + 9 / 400) / 2)
    assert result.layers == result.rule_layers == (1,)
    assert result.chosen_by == "rule"
    assert (result.stability, result.resamples) == ((), 0)


def test_options_by_hand() -> None:
    # Coverage is highest, and equal, in layers 1 and 3: a K of layer 0 alone could select nothing, so 3 ends it.
    result = select(example(), SelectionConfig(overlap="coverage"))
    assert result.overlap["sw"] == pytest.approx((0, 1, 2 / 3, 1))
    assert (result.highest, result.peak, result.k_end, result.layers) == (1, 3, 3, (0, 1))
    assert result.theta == pytest.approx((1 / 64 + 9 / 400 + 1 / 400) / 3)
    english = select(example(), SelectionConfig(overlap="english"))
    assert english.overlap["sw"] == pytest.approx((0, 1 / 3, 1, 0.5))
    # At more than 8 of 10 tokens the sets of each layer are disjoint or empty.
    strict = select(example(), SelectionConfig(neuron_share=0.8, layers=(0,)))
    assert set(strict.overlap["sw"]) == {0.0}
    capped = select(example(), SelectionConfig(max_layer_share=0.25, theta_factor=0.5))
    assert (capped.peak, capped.k_end, capped.layers) == (2, 1, (0,))
    both = select(example(), SelectionConfig(theta_factor=0.5))
    assert both.layers == (0, 1)


def test_a_share_of_exactly_the_threshold_is_not_in_the_set() -> None:
    counts = ten_tokens(en=[[3, 4], [4, 4]], sw=[[3, 4], [4, 4]])
    assert select(counts, SelectionConfig(neuron_share=0.3, layers=(0,))).overlap["sw"] == (1, 1)
    assert select(counts, SelectionConfig(neuron_share=0.4, layers=(0,))).overlap["sw"] == (0, 0)


def test_typed_layers_are_taken_and_the_rule_is_still_told() -> None:
    result = select(example(), SelectionConfig(layers=(3, 0, 3)))
    assert (result.layers, result.chosen_by, result.rule_layers) == ((0, 3), "config", (1,))
    shallow = select(ten_tokens(en=[[9], [9]], sw=[[9], [0]]), SelectionConfig(layers=(1,)))
    assert (shallow.highest, shallow.peak, shallow.k_end, shallow.theta) == (0, None, 0, None)
    assert (shallow.rule_layers, shallow.layers, shallow.where_highest) == ((), (1,), "")


def falling() -> Counts:
    """Five layers of ten neurons, each activated at all tokens or at none. By hand:

    layer     0     1     2     3     4
    jaccard   9/10  8/10  1/9   7/10  2/10
    A_en      1     1     5/10  1     1
    A_sw      9/10  8/10  5/10  7/10  2/10
    4 x MSD   .01   .04   0     .09   .64
    """
    english = [range(10), range(10), range(5), range(10), range(10)]
    swahili = [range(9), range(8), range(4, 9), range(7), range(2)]
    full = [[[10 if neuron in on else 0 for neuron in range(10)] for on in sets] for sets in (english, swahili)]
    return ten_tokens(en=full[0], sw=full[1])


def test_where_the_papers_rule_has_no_answer_the_highest_overlap_from_layer_2_on_ends_k() -> None:
    result = select(falling(), SelectionConfig())
    assert result.mean_overlap == pytest.approx((0.9, 0.8, 1 / 9, 0.7, 0.2))
    assert (result.highest, result.peak, result.k_end) == (0, 3, 3)
    assert result.theta == pytest.approx(0.05 / 12)
    assert result.layers == (1,)
    assert result.where_highest == (
        "the overlap is highest in layer 0 (0.900); of the layers from 2 on, in layer 3 (0.700)"
    )
    # Layer 0 apart, the overlap is highest in layer 1, of which K would be layer 0 alone: the same K, whatever theta.
    counts = falling()
    counts.activated[0, 1, 0] = 0
    for factor in (0.5, 1.0):
        result = select(counts, SelectionConfig(theta_factor=factor))
        assert (result.highest, result.peak, result.k_end) == (1, 3, 3)
    capped = select(falling(), SelectionConfig(max_layer_share=0.4))
    assert (capped.peak, capped.k_end, capped.layers) == (3, 2, (1,))


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
    assert select(counts, SelectionConfig(random_seed=3)).layers == drawn[3].layers == (0, 2, 8), BUMP


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
            own, en = members(language, layer), members(english, layer)
            over = {"jaccard": own | en, "coverage": own, "english": en}[config.overlap]
            return Fraction(len(own & en), len(over)) if over else Fraction(0)

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
    resampled = [rule(everything, [i for i in others if i != left]) for left in others if len(others) > 1]
    resampled += [rule([g for g in everything if g != left], others) for left in everything if groups > 1]
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


@pytest.mark.parametrize(
    ("counts", "config", "said"),
    [
        (
            ten_tokens(en=[[9], [9]], sw=[[9], [0]]),
            SelectionConfig(),
            "needs a model of at least 3 layers, this one has 2; type the layers .selection.layers.",
        ),
        (
            example(),
            SelectionConfig(max_layer_share=0.2),
            "0.2 of 4 layers leaves no language-specific layer; raise it",
        ),
        (
            example(),
            SelectionConfig(max_layer_share=0.25),
            "leaves one, whose MSD cannot exceed its own mean; raise it",
        ),
        (
            example(),
            SelectionConfig(theta_factor=2),
            "layers 0 to 1 none has an MSD above the threshold 3.81e-02 .the largest is 2.25e-02, in layer 1.; lower"
            " theta_factor .now 2., try another overlap .now jaccard; .* or neuron_share .now 0.5.*selection.layers",
        ),
        (falling(), SelectionConfig(theta_factor=9), "; the overlap is highest in layer 0 .0.900.; of the layers from"),
        (example(), SelectionConfig(layers=(1, 4)), "selection.layers: there is no layer 4; .* layers 0 to 3"),
        (example(), SelectionConfig(first=5), "selection.first: there are no 5 layers; the model has 4"),
        (example(), SelectionConfig(theta_factor=2, random_seed=1), "no layer is selected"),
        (ten_tokens(sw=[[1]], th=[[2]]), SelectionConfig(), "needs counts of 'en' and another language"),
        (ten_tokens(en=[[1]]), SelectionConfig(), "needs counts of 'en' and another language"),
    ],
)
def test_what_cannot_be_selected_is_explained(counts: Counts, config: SelectionConfig, said: str) -> None:
    with pytest.raises(InputError, match=said):
        select(counts, config)


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
    common, own = rng.random((12, 32)), rng.random((4, 12, 32))
    weight = np.minimum(np.arange(12) / 7, 1)[:, None]
    rate = weight * common + (1 - weight) * own
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
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digests.get(SELECT_VERSION), BUMP


def test_the_step_writes_its_selection(tmp_path: Path) -> None:
    write_counts(tmp_path / COUNTS_FILE, fixed_counts())
    counts: Artifact[CountResult] = artifact_of(tmp_path)
    step = select_step(SelectionConfig(), counts)
    assert step.fingerprint != select_step(SelectionConfig(neuron_share=0.4), counts).fingerprint
    with Context(ExecutionConfig()) as context:
        artifact = Storage(tmp_path / "storage").make(step, context)
    assert json.loads(artifact.file(SELECTION_FILE).read_text()) == artifact.result.model_dump(mode="json")
    assert artifact.result == select(fixed_counts(), SelectionConfig())
    assert len(artifact.result.stability) == 12
    assert artifact.result.resamples == 3 + 3

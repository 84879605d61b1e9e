"""Every model family, each a tiny random model: which weights are tuned, and what a tuned checkpoint is."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from slam_ray.config import InputError
from slam_ray.models.families import FAMILIES, family_of
from slam_ray.models.loading import load_model, tune_only
from slam_ray.models.placing import assemble
from slam_ray.models.reference import TRAINED_FILE, base_model
from tests.models import tiny_model

LAYERS = (0, 2)
TOKENS = torch.arange(3, 43).reshape(2, 20)


@pytest.mark.parametrize("name", FAMILIES)
def test_two_steps_change_only_the_selected_projections(name: str, tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base", name)
    model = load_model(base, "float32")
    share = tune_only(model, FAMILIES[name], LAYERS, ("up", "down"))
    tuned = {key: weight for key, weight in model.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(tuned.values(), lr=1e-3, weight_decay=0.0)
    for _ in range(2):
        model(TOKENS, labels=TOKENS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    save_file({key: weight.detach().clone() for key, weight in tuned.items()}, tmp_path / TRAINED_FILE)
    assemble(base, tmp_path / TRAINED_FILE, tmp_path / "tuned")

    before, after = (load_file(tmp_path / folder / "model.safetensors") for folder in ("base", "tuned"))
    changed = {key: (before[key] != after[key]).sum().item() for key in before if not before[key].equal(after[key])}
    assert set(changed) == {FAMILIES[name].parameter(layer, part) for layer in LAYERS for part in ("up", "down")}
    assert sum(changed.values()) <= share * model.num_parameters() + 0.5, "a fused gate stays as it was"
    assert sum(changed.values()) > 0.95 * share * model.num_parameters()

    again = load_model(tmp_path / "tuned", "float32")
    with torch.no_grad():
        assert torch.equal(again(TOKENS).logits, model(TOKENS).logits)


def test_a_fused_gate_is_tuned_if_asked_for(tmp_path: Path) -> None:
    model = load_model(tiny_model(tmp_path, "phi3"), "float32")
    share = {parts: tune_only(model, FAMILIES["phi3"], [0], parts) for parts in (("up",), ("up", "gate"), ("gate",))}
    assert share["up", "gate"] == 2 * share["up",] == 2 * share["gate",]


def test_gemma_2_caps_its_attention(tmp_path: Path) -> None:
    model = load_model(tiny_model(tmp_path, "gemma2"), "float32")
    with torch.no_grad():
        capped = model(TOKENS).logits
        for layer in model.model.layers:
            layer.self_attn.attn_logit_softcapping = 0.1
        assert not torch.equal(model(TOKENS).logits, capped)


@pytest.mark.parametrize(
    ("hidden", "intermediate", "layers", "heads", "tuned", "percent"),
    [
        (4096, 11008, 32, 32, 6, 8.03),
        (5120, 13824, 40, 40, 6, 6.53),
        (4096, 11008, 32, 32, 5, 6.69),
        (5120, 13824, 40, 40, 5, 5.44),
    ],
)
def test_trained_share_is_the_papers(
    hidden: int, intermediate: int, layers: int, heads: int, tuned: int, percent: float
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        vocab_size=32000,
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    share = tune_only(model, FAMILIES["llama"], range(tuned), ("up", "down"))
    assert round(100 * share, 2) == percent  # Tables 2 and 3 of the paper


def test_a_family_without_a_gate_says_so() -> None:
    with pytest.raises(InputError, match=r"training\.projections.*no 'gate'; it has up, down"):
        FAMILIES["gpt2"].parameter(0, "gate")


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"model_type": "mixtral", "num_local_experts": 8}, "a router decides"),
        ({"model_type": "qwen3_moe", "num_experts": 128}, "a router decides"),
        ({"model_type": "mamba"}, "'mamba' is not supported; supported are: gemma2, gpt2, llama"),
        ({}, "'' is not supported"),
    ],
)
def test_an_unsupported_family_is_named(config: dict[str, object], part: str) -> None:
    with pytest.raises(InputError) as caught:
        family_of(config)
    assert part in str(caught.value)


def test_a_checkpoint_with_other_names_is_refused_before_it_is_tuned(tmp_path: Path) -> None:
    weights = tiny_model(tmp_path, "gpt2") / "model.safetensors"
    base_model(str(tmp_path))
    # As in the oldest checkpoint of this family on the Hub.
    bare = {name.removeprefix("transformer."): tensor for name, tensor in load_file(weights).items()}
    save_file(bare, weights, metadata={"format": "pt"})
    load_model(tmp_path, "float32")
    with pytest.raises(InputError, match=r"holds no tensor transformer\.h\.0\.mlp.*save_pretrained"):
        base_model(str(tmp_path))


def test_a_checkpoint_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.path: no such folder: .*none"):
        base_model(str(tmp_path / "none"))
    folder = tiny_model(tmp_path / "model", "llama")
    before = base_model(str(folder)).fingerprint
    weights = folder / "model.safetensors"
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"holds no \*\.safetensors \(pickled weights are never loaded; where"):
        base_model(str(folder))
    (folder / "pytorch_model.bin").rename(weights)
    assert base_model(str(folder)).fingerprint == before
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(json.dumps(json.loads(tokenizer.read_text()) | {"version": "other"}))
    assert base_model(str(folder)).fingerprint != before

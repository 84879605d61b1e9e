"""Every model family, each a tiny random model: which weights are tuned, and what a tuned checkpoint is."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from slam_ray.config import InputError
from slam_ray.models.families import ACTIVATIONS, FAMILIES, family_of
from slam_ray.models.loading import load_model
from slam_ray.models.reference import TRAINED_FILE, base_model
from slam_ray.models.trainable import tune_only
from slam_ray.training.worker import as_stored
from tests.artifacts import artifact_of
from tests.corpora import cases
from tests.models import loaded, tiny_model

LAYERS = (0, 2)
TOKENS = torch.arange(3, 43).reshape(2, 20)
STORED_LAYERS = {"gpt2": "transformer.h", "gemma3": "language_model.model.layers"}  # the layers' path in the files
FFN, ATTENTION = ("up", "down"), ("q", "k", "v", "o")


def weight_of(family: str, projection: str) -> tuple[str, tuple[slice, ...]]:
    """Module and part of its weight that are a projection of a tiny model (two heads, one of keys and values)."""
    if family == "gpt2":
        columns = {"q": (0, 64), "k": (64, 128), "v": (128, 192)}
        names = {"up": "mlp.c_fc", "down": "mlp.c_proj", "o": "attn.c_proj", **dict.fromkeys(columns, "attn.c_attn")}
        return names[projection], (slice(None), slice(*columns.get(projection, (None, None))))
    if family == "phi3":
        rows = {"gate": (0, 96), "up": (96, 192), "q": (0, 64), "k": (64, 96), "v": (96, 128)}
        fused = {"gate": "mlp.gate_up_proj", "up": "mlp.gate_up_proj", "down": "mlp.down_proj", "o": "self_attn.o_proj"}
        return fused.get(projection, "self_attn.qkv_proj"), (slice(*rows.get(projection, (None, None))),)
    return f"{'self_attn' if projection in ATTENTION else 'mlp'}.{projection}_proj", (slice(None),)


@pytest.mark.parametrize("projections", [FFN, ATTENTION, ("k", "up"), ("layer",)])
@pytest.mark.parametrize("name", FAMILIES)
def test_two_steps_change_only_what_is_tuned(name: str, projections: tuple[str, ...], tmp_path: Path) -> None:
    base = base_model(str(tiny_model(tmp_path / "base", name)))
    model = loaded(base.base)
    share = tune_only(model, FAMILIES[name], LAYERS, projections)
    tuned = {key: weight for key, weight in model.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(tuned.values(), lr=1e-3, weight_decay=0.0)
    for _ in range(2):
        model(TOKENS, labels=TOKENS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    weights = {key: weight.detach().clone() for key, weight in tuned.items()}
    save_file(as_stored(base, weights, "float32"), tmp_path / TRAINED_FILE)

    before = load_file(base.base / "model.safetensors")
    after = before | load_file(tmp_path / TRAINED_FILE)
    assert after.keys() == before.keys()
    expected = {key: torch.zeros_like(weight, dtype=torch.bool) for key, weight in before.items()}
    for layer in LAYERS:
        prefix = f"{STORED_LAYERS.get(name, 'model.layers')}.{layer}."
        for projection in projections:
            if projection == "layer":
                for key in before:
                    expected[key] |= key.startswith(prefix)
            else:
                module, part = weight_of(name, projection)
                expected[f"{prefix}{module}.weight"][part] = True
    for key, mask in expected.items():
        assert before[key][~mask].equal(after[key][~mask]), f"{key} is not tuned"
    changed = sum((before[key] != after[key]).sum().item() for key in before)
    size = sum(mask.sum().item() for mask in expected.values())
    assert 0.95 * size < changed <= size
    assert share == pytest.approx(size / model.num_parameters()), "of the text part alone"

    again = load_model(replace(base, trained=(artifact_of(tmp_path),)), "float32")
    with torch.no_grad():
        assert torch.equal(again(TOKENS).logits, model(TOKENS).logits)


def test_a_fused_gate_is_tuned_if_asked_for(tmp_path: Path) -> None:
    model = loaded(tiny_model(tmp_path, "phi3"))
    share = {parts: tune_only(model, FAMILIES["phi3"], [0], parts) for parts in (("up",), ("up", "gate"), ("gate",))}
    assert share["up", "gate"] == 2 * share["up",] == 2 * share["gate",]


def test_gemma_2_caps_its_attention(tmp_path: Path) -> None:
    model = loaded(tiny_model(tmp_path, "gemma2"))
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
    with_gate = tune_only(model, FAMILIES["llama"], range(tuned), ("up", "down", "gate"))
    assert with_gate == pytest.approx(1.5 * share)


def test_a_family_without_a_gate_says_so() -> None:
    with pytest.raises(InputError, match=r"training\.projections.*no 'gate'; they have up, down, q, k, v, o"):
        FAMILIES["gpt2"].parameter(0, "gate")


@pytest.mark.parametrize("case", cases("unsupported_models"), ids=lambda case: case["config"].get("model_type", "none"))
def test_an_unsupported_family_is_named(case: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        family_of(case["config"])
    assert case["said"] in str(caught.value)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_positive_where_its_input_is(name: str) -> None:
    from transformers.activations import ACT2FN

    inputs = torch.cat([-torch.logspace(2, -3, 200), torch.zeros(1), torch.logspace(-3, 2, 200)])
    assert (ACT2FN[name](inputs) > 0).equal(inputs > 0)


def test_the_text_part_of_either_naming_is_loaded_alone(tmp_path: Path) -> None:
    base = tiny_model(tmp_path, "gemma3")
    published = loaded(base)
    assert type(published).__name__ == "Gemma3ForCausalLM"
    assert published.num_parameters() < sum(tensor.numel() for tensor in load_file(base / "model.safetensors").values())
    # As Gemma3ForConditionalGeneration calls them in memory.
    newer = {
        re.sub(
            r"^language_model\.model\.",
            "model.language_model.",
            re.sub(r"^(vision_tower|multi_modal)", r"model.\1", key),
        ): weight
        for key, weight in load_file(base / "model.safetensors").items()
    }
    save_file(newer, base / "model.safetensors", metadata={"format": "pt"})
    base_model(str(base))
    with torch.no_grad():
        assert loaded(base)(TOKENS).logits.equal(published(TOKENS).logits)


def test_a_tensor_that_the_files_lack_is_named(tmp_path: Path) -> None:
    weights = tiny_model(tmp_path, "olmo3") / "model.safetensors"
    fewer = load_file(weights)
    del fewer["model.layers.2.post_attention_layernorm.weight"]
    save_file(fewer, weights, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"holds no tensor model\.layers\.2\.post_attention_layernorm\.weight"):
        loaded(tmp_path)


def test_a_checkpoint_with_other_names_is_refused_before_it_is_tuned(tmp_path: Path) -> None:
    weights = tiny_model(tmp_path, "gpt2") / "model.safetensors"
    base = base_model(str(tmp_path))
    # As in the oldest checkpoint of this family on the Hub.
    bare = {name.removeprefix("transformer."): tensor for name, tensor in load_file(weights).items()}
    save_file(bare, weights, metadata={"format": "pt"})
    load_model(base, "float32")
    with pytest.raises(InputError, match=r"holds no tensor transformer\.h\.0\..*save_pretrained"):
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

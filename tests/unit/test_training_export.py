"""Trained weights as they are written: in the base's precision, and what was not moved as the base has it."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from slam_ray.models.reference import ModelRef
from slam_ray.training.worker import as_stored


def test_what_training_did_not_move_is_the_bases_to_the_bit(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    base = {name: torch.randn(6, 4, generator=generator) for name in ("fused", "own", "other")}
    save_file(
        {"fused": base["fused"], "own": base["own"].bfloat16(), "other": base["other"]}, tmp_path / "model.safetensors"
    )
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    loaded = {name: base[name].bfloat16().float() for name in ("fused", "own")}
    loaded["fused"][3:] += 0.5
    loaded["own"] += 0.25
    stored = as_stored(ModelRef(tmp_path, ()), loaded, "bfloat16")
    assert stored.keys() == loaded.keys()
    assert stored["fused"][:3].equal(base["fused"][:3])
    assert not stored["fused"][:3].equal(loaded["fused"][:3]), "bfloat16 rounds, or this shows nothing"
    assert stored["fused"][3:].equal(loaded["fused"][3:])
    assert stored["own"].equal(loaded["own"].bfloat16())

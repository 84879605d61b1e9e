"""Is a checkpoint quantised, and by which method? What is tuned are weights, which such a one no longer holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slam_ray.models.checkpoint import config_parts, json_object

# Keys of config.json under which methods keep their settings: transformers, older compressed-tensors, MLX.
KEYS = ("quantization_config", "compression_config", "quantization")
# Files that some put beside it instead, and whose they are where they do not say.
FILES = {"quantize_config.json": "gptq", "quant_config.json": "awq", "hf_quant_config.json": "modelopt"}
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
# What the methods call their tensors, behind or in the place of ".weight".
ENDINGS = (
    *(".qweight", ".qzeros", ".weight_packed", ".weight_scale", ".weight_scale_inv", ".absmax", ".quant_map", ".SCB"),
    *("_blocks", "_scales", ".scales", ".qscale", ".weight_zero_point"),
)


def quantised_by_settings(folder: Path, config: Mapping[str, Any]) -> str:
    """The method by which a checkpoint is quantised, as its config.json or the files beside it say; "" if none."""
    for part in config_parts(config):
        for key in KEYS:
            if part.get(key):
                return _method(part[key], key)
    for name, method in FILES.items():
        if (folder / name).is_file():
            return _method(json_object(folder / name), method)
    return ""


def quantised_by_tensors(types: Mapping[str, str]) -> str:
    """What shows that a checkpoint's tensors are quantised, by their element types; "" if nothing."""
    for name, kind in sorted(types.items()):
        if name.endswith(ENDINGS) or (name.endswith(".weight") and kind not in FLOATS):
            return f"{name} is {kind}"
    return ""


def _method(settings: Any, otherwise: str) -> str:
    """The method's name; of NVIDIA's files the algorithm, of MLX' the number of bits."""
    if not isinstance(settings, Mapping):
        return otherwise
    inner = settings.get("quantization")
    for name in (settings.get("quant_method"), inner.get("quant_algo") if isinstance(inner, Mapping) else None):
        if name:
            return str(name)
    if settings.get("load_in_4bit") or settings.get("load_in_8bit"):
        return "bitsandbytes"
    return f"{settings['bits']} bits" if otherwise == "quantization" and "bits" in settings else otherwise

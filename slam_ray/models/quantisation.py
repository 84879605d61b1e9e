"""Whether a checkpoint is quantised, and by what method: such a one no longer holds the weights that are tuned."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slam_ray.models.checkpoint import config_parts, json_object

# Keys of config.json for a method's settings, in transformers, older compressed-tensors and MLX.
SETTINGS_KEYS = ("quantization_config", "compression_config", "quantization")
# Files that hold the settings instead, with the method that is meant if they name none.
SETTINGS_FILES = {"quantize_config.json": "gptq", "quant_config.json": "awq", "hf_quant_config.json": "modelopt"}
UNQUANTISED_TYPES = frozenset({"F64", "F32", "F16", "BF16"})
# What the methods call their tensors, after ".weight" or in its place.
QUANTISED_ENDINGS = (
    *(".qweight", ".qzeros", ".weight_packed", ".weight_scale", ".weight_scale_inv", ".absmax", ".quant_map", ".SCB"),
    *("_blocks", "_scales", ".scales", ".qscale", ".weight_zero_point"),
)


def quantisation_method(folder: Path, config: Mapping[str, Any]) -> str:
    """The method that a checkpoint's config.json, or another file in its folder, names; "" if none does."""
    for part in config_parts(config):
        for key in SETTINGS_KEYS:
            if part.get(key):
                return _method(part[key], key)
    for name, method in SETTINGS_FILES.items():
        if (folder / name).is_file():
            return _method(json_object(folder / name), method)
    return ""


def quantised_tensor(types: Mapping[str, str]) -> str:
    """A checkpoint's first quantised tensor, in words, by the element types of all its tensors; "" if there is none."""
    for name, kind in sorted(types.items()):
        if name.endswith(QUANTISED_ENDINGS) or (name.endswith(".weight") and kind not in UNQUANTISED_TYPES):
            return f"{name} is {kind}"
    return ""


def _method(settings: Any, default: str) -> str:
    """The method's name: the algorithm in NVIDIA's settings, the number of bits in MLX's."""
    if not isinstance(settings, Mapping):
        return default
    inner = settings.get("quantization")
    for name in (settings.get("quant_method"), inner.get("quant_algo") if isinstance(inner, Mapping) else None):
        if name:
            return str(name)
    if settings.get("load_in_4bit") or settings.get("load_in_8bit"):
        return "bitsandbytes"
    return f"{settings['bits']} bits" if default == "quantization" and "bits" in settings else default

"""The text part of a Gemma 3 checkpoint for vLLM, whose own model of it would load the image part too."""

from typing import TYPE_CHECKING

from vllm import ModelRegistry
from vllm.model_executor.models.gemma3 import Gemma3ForCausalLM
from vllm.model_executor.models.utils import WeightsMapper

from slam_ray.models.families import FAMILIES

if TYPE_CHECKING:
    from transformers import PretrainedConfig

OTHER_PARTS = ("vision_tower.", "multi_modal_projector.")


class Gemma3TextPart(Gemma3ForCausalLM):
    """Loads the tensors of the text part, by their names in the files, and skips the others."""

    hf_to_vllm_mapper = Gemma3ForCausalLM.hf_to_vllm_mapper | WeightsMapper(
        orig_to_new_prefix={
            **{before + part: None for before in ("", "model.") for part in OTHER_PARTS},
            **FAMILIES["gemma3"].stored,
        }
    )


def text_part(config: "PretrainedConfig") -> "PretrainedConfig":
    """The configuration of the text part, which names the class above; for vLLM's `hf_overrides`."""
    text = config.get_text_config()
    if text is not config:
        ModelRegistry.register_model(Gemma3TextPart.__name__, Gemma3TextPart)
        text.architectures = [Gemma3TextPart.__name__]
    return text

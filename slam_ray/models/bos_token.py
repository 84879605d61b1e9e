"""Whether a tokenizer puts the beginning of sequence (BOS) that its model was trained with; a converted one may not.

The tokenizer alone does not tell: some name a BOS token that they never put (SmolLM2, Phi-3, OLMo, Granite), others
name none (Qwen). So this file says with which token the models of a family were trained.
"""

from typing import TYPE_CHECKING

from slam_ray.config import InputError
from slam_ray.models.reference import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# By `model_type`. A model of such a family whose tokenizer names another token (SmolLM2 and Yi have the shape of a
# Llama) was trained without.
USUAL = {
    "llama": ("<s>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>"),
    "mistral": ("<s>",),
    "cohere2": ("<BOS_TOKEN>",),
}
# Models of these families write nonsense without it.
REQUIRED = {"gemma2": "<bos>", "gemma3": "<bos>", "gemma3_text": "<bos>"}
REMEDY = "take the original model's tokenizer.json, or give this one a post_processor (TemplateProcessing) that puts it"


def missing_bos_note(model: ModelRef, tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """The note for a model whose tokenizer puts no BOS token; None if the model was trained without.

    Raises:
        InputError: the model is of no use without one.
    """
    family = model.config["model_type"]
    if token := REQUIRED.get(family):
        raise InputError(
            f"model.path: the tokenizer in {model.base} puts no beginning of sequence ({token}) in front of a text,"
            f" without which models of family {family!r} write nonsense; {REMEDY}"
        )
    token = tokenizer.bos_token
    if token not in USUAL.get(family, ()):
        return None
    return (
        f"note: the tokenizer in {model.base} puts no beginning of sequence ({token}) in front of a text; a model of"
        f" family {family!r} was most likely trained with it, and answers worse without: {REMEDY}"
    )

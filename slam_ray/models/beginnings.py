"""Whether a tokenizer puts the beginning of sequence that its model was trained with; a converted one may not.

A tokenizer may name a beginning that nobody puts (SmolLM2, Phi-3, OLMo, Granite), or none (Qwen), so what the models of
a family were trained with is said here.
"""

from typing import TYPE_CHECKING

from slam_ray.config import InputError
from slam_ray.models.reference import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# By `model_type`. Models without the shape's usual words (as SmolLM2 and Yi among the Llamas) were trained with none.
BEGINNINGS = {
    "llama": ("<s>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>"),
    "mistral": ("<s>",),
    "cohere2": ("<BOS_TOKEN>",),
}
# These write nonsense without it.
NEEDED = {"gemma2": "<bos>", "gemma3": "<bos>", "gemma3_text": "<bos>"}
MEND = "take the original model's tokenizer.json, or give this one a post_processor (TemplateProcessing) that puts it"


def missing_beginning(model: ModelRef, tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """What to tell people whose texts begin without a beginning of sequence; None where that is as it should be.

    Raises:
        InputError: the model is of no use without one.
    """
    family = model.config["model_type"]
    if word := NEEDED.get(family):
        raise InputError(
            f"model.path: the tokenizer in {model.base} puts no beginning of sequence ({word}) in front of a text,"
            f" without which models of family {family!r} write nonsense; {MEND}"
        )
    word = tokenizer.bos_token
    if word not in BEGINNINGS.get(family, ()):
        return None
    return (
        f"note: the tokenizer in {model.base} puts no beginning of sequence ({word}) in front of a text; a model of"
        f" family {family!r} was most likely trained with it, and answers worse without: {MEND}"
    )

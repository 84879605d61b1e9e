"""How many tokens a model takes at a time, by the keys of its config.json that both transformers and vLLM read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slam_ray.config import InputError
from slam_ray.models.checkpoint import config_parts
from slam_ray.models.reference import ModelRef

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# Keys for the length of a text; vLLM takes the smallest value of all, and starts no engine with a longer context.
LENGTH_KEYS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
COHERE_KEY = "model_max_length"  # takes precedence over all of them, in vLLM too


@dataclass(frozen=True)
class ContextLength:
    """The most tokens of a prompt and its continuation together.

    Attributes:
        tokens: their number.
        limit: what sets this limit, for a message: "... do not fit <limit>".
        remedy: what would raise it, for a message too; "" if nothing would.
        short: number of tokens up to which a long RoPE keeps to its short factors; None for every other model.
    """

    tokens: int
    limit: str
    remedy: str = ""
    short: int | None = None


def context_length(model: ModelRef, max_context: int | None) -> ContextLength:
    """What `model` takes by its config, transformers' defaults included, or `max_context` if that is less.

    A linear RoPE scaling multiplies the config's length. With the other kinds the length holds the factor already. A
    dynamic scaling is the exception, but vLLM has no positions beyond its config's length either.

    Args:
        model: only its config.json is read.
        max_context: `execution.max_context`.

    Raises:
        InputError: the config cannot be read, or gives no length.
    """
    config = text_config(model)
    key = COHERE_KEY if getattr(config, COHERE_KEY, None) else _smallest(model, config)
    length, name = getattr(config, key), config.attribute_map.get(key, key)
    if name not in {key for part in config_parts(model.config) for key in part}:
        name += f", the default of {config.model_type}: config.json gives none"
    kinds = ropes(config)
    factor = max((rope.get("factor") or 1 for rope in kinds if rope.get("rope_type") == "linear"), default=1)
    if "gemma3" in config.model_type:  # the length holds the factor already
        factor = 1
    if factor > 1:
        name += f" {length} times the factor {factor:g} of its linear RoPE scaling"
    tokens = int(length * factor)
    short = min(
        (rope["original_max_position_embeddings"] for rope in kinds if rope.get("rope_type") == "longrope"),
        default=None,
    )
    if max_context is not None and max_context < tokens:
        remedy = f"raise that (the model itself takes {tokens}: {name})"
        return ContextLength(max_context, f"execution.max_context {max_context}", remedy, short)
    return ContextLength(tokens, f"the model's own context of {tokens} tokens ({name})", short=short)


def check_fits_context(text: str, tokens: int, model: ModelRef, remedy: str) -> None:
    """Raise InputError if a text has more tokens than `model` can read.

    Learned positions end there. Computed ones go on, but the model was not trained on them.

    Args:
        text: its name, for the message.
        tokens: of the text.
        model: that is to read it.
        remedy: for the message.
    """
    context = context_length(model, None)
    if tokens > context.tokens:
        raise InputError(f"{text} takes {tokens} tokens, which do not fit {context.limit}; {remedy}")


def text_config(model: ModelRef) -> "PretrainedConfig":
    """The checkpoint's configuration as transformers reads it, or that of its text part if it has several parts.

    Raises:
        InputError: transformers cannot read it.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(model.base, trust_remote_code=model.trusted)
    except (StrictDataclassError, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{model.base / 'config.json'} is no configuration that transformers reads: {said}") from None
    return config.get_text_config()


def _smallest(model: ModelRef, config: "PretrainedConfig") -> str:
    """The key of the smallest length that the config gives."""
    lengths = {key: length for key in LENGTH_KEYS if (length := getattr(config, key, None)) is not None}
    for key, length in lengths.items():
        if not isinstance(length, int) or length < 1:
            raise InputError(f"{model.base / 'config.json'}: {key} is {length!r}; give a number of tokens")
    if not lengths:
        raise InputError(f"{model.base / 'config.json'} does not say how long a text may be: give {LENGTH_KEYS[0]}")
    return min(lengths, key=lengths.__getitem__)


def ropes(config: "PretrainedConfig") -> list[dict[str, Any]]:
    """The parameters of every RoPE: kinds of layers may have one each."""
    found = getattr(config, "rope_parameters", None) or {}
    return [found] if "rope_type" in found else [each for each in found.values() if isinstance(each, dict)]

"""How many tokens a model takes at a time, by what transformers and vLLM both read from its config.json."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slam_ray.config import InputError
from slam_ray.models.checkpoint import config_parts
from slam_ray.models.reference import ModelRef

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# By which a config says how long a text may be; vLLM takes the smallest of them, and no engine may be longer.
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
COHERE_KEY = "model_max_length"  # goes before all of them, in vLLM too


@dataclass(frozen=True)
class ContextLength:
    """The most tokens of a prompt and its continuation together.

    Attributes:
        tokens: so many.
        limit: whose limit that is, for a message: "... do not fit <limit>".
        remedy: what would raise it, likewise; "" if nothing would.
        short: up to so many tokens a long RoPE keeps to its short factors; None for every other model.
    """

    tokens: int
    limit: str
    remedy: str = ""
    short: int | None = None


def context_length(model: ModelRef, most: int | None) -> ContextLength:
    """What `model` takes by its config, transformers' defaults included, or `most` if that is less.

    A linear RoPE scaling multiplies the config's length. That of the other kinds holds the factor already; only a
    dynamic one's does not, but vLLM has no positions beyond it.

    Args:
        model: of it only config.json is read.
        most: `execution.max_context`.

    Raises:
        InputError: the config cannot be read, or says nothing of a length.
    """
    config = text_config(model)
    key = COHERE_KEY if getattr(config, COHERE_KEY, None) else _smallest(model, config)
    length, name = getattr(config, key), config.attribute_map.get(key, key)
    if name not in _written(model):
        name += f", the default of {config.model_type}: config.json gives none"
    ropes = _ropes(config)
    factor = max((rope.get("factor") or 1 for rope in ropes if rope.get("rope_type") == "linear"), default=1)
    if "gemma3" in config.model_type:  # its length holds the factor already
        factor = 1
    if factor > 1:
        name += f" {length} times the factor {factor:g} of its linear RoPE scaling"
    tokens = int(length * factor)
    short = min(
        (rope["original_max_position_embeddings"] for rope in ropes if rope.get("rope_type") == "longrope"),
        default=None,
    )
    if most is not None and most < tokens:
        remedy = f"raise that (the model itself takes {tokens}: {name})"
        return ContextLength(most, f"execution.max_context {most}", remedy, short)
    return ContextLength(tokens, f"the model's own context of {tokens} tokens ({name})", short=short)


def check_reads(what: str, tokens: int, model: ModelRef, mend: str) -> None:
    """Raise InputError, with what would `mend` it, if `model` cannot even read `what`, which has so many tokens.

    Learned positions end there; computed ones go on, to where no model was trained.
    """
    own = context_length(model, None)
    if tokens > own.tokens:
        raise InputError(f"{what} takes {tokens} tokens, which do not fit {own.limit}; {mend}")


def text_config(model: ModelRef) -> "PretrainedConfig":
    """The checkpoint's configuration as transformers reads it, of the text part where it has several.

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
    lengths = {key: getattr(config, key, None) for key in LENGTH_KEYS}
    given = {key: length for key, length in lengths.items() if length is not None}
    for key, length in given.items():
        if not isinstance(length, int) or length < 1:
            raise InputError(f"{model.base / 'config.json'}: {key} is {length!r}; give a number of tokens")
    if not given:
        raise InputError(f"{model.base / 'config.json'} does not say how long a text may be: give {LENGTH_KEYS[0]}")
    return min(given, key=given.__getitem__)


def _written(model: ModelRef) -> set[str]:
    """Keys that config.json itself gives, those of a nested text part included."""
    return {key for part in config_parts(model.config) for key in part}


def _ropes(config: "PretrainedConfig") -> list[dict[str, Any]]:
    """RoPE's parameters, of every kind of layer where they differ."""
    ropes = getattr(config, "rope_parameters", None) or {}
    return [ropes] if "rope_type" in ropes else [each for each in ropes.values() if isinstance(each, dict)]

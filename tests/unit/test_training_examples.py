"""A pair as tokens: Table 7's prompt, one BOS, loss on the English side and EOS, nothing cut."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from slam_ray.config import InputError, PromptsConfig
from slam_ray.corpora import Pair
from slam_ray.models.loading import load_tokenizer
from slam_ray.training.batches import batch
from slam_ray.training.examples import tokenize
from tests.models import byte_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHORT = Pair("1", "sw", "question", "Tom ana maapulo matano.", "Tom has five apples.")
THAI = Pair("2", "th", "answer", "ทอมมีแอปเปิลห้าลูก", "Tom has five apples.")


@pytest.fixture
def tokenizer(tmp_path: Path) -> "PreTrainedTokenizerBase":
    byte_tokenizer(tmp_path)
    return load_tokenizer(tmp_path)


def test_the_loss_is_on_the_english_side_and_the_end_alone(tokenizer: "PreTrainedTokenizerBase") -> None:
    for example, pair, language in zip(
        tokenize(tokenizer, PromptsConfig(), [SHORT, THAI], 400), (SHORT, THAI), ("Swahili", "Thai"), strict=True
    ):
        text = f"<s>Translate this from [{language}] to [English]:\n[{language}]: {pair.source}\n[English]:"
        assert tokenizer.decode(example.tokens[: example.prompt]) == text
        assert tokenizer.decode(example.tokens[example.prompt :]) == f" {pair.english}</s>"
        assert (example.tokens == tokenizer.bos_token_id).sum() == 1


def test_a_wrapped_prompt_carries_no_loss_either(tokenizer: "PreTrainedTokenizerBase") -> None:
    """As in the authors' code, which writes the translation as an assistant's answer."""
    wrapped = PromptsConfig(translation=f"Human: {PromptsConfig().translation}\nAssistant:")
    (example,) = tokenize(tokenizer, wrapped, [SHORT], 400)
    assert str(tokenizer.decode(example.tokens[: example.prompt])).endswith("\n[English]:\nAssistant:")
    assert tokenizer.decode(example.tokens[example.prompt :]) == " Tom has five apples.</s>"


def test_a_token_that_spans_the_prompts_end_carries_loss(tokenizer: "PreTrainedTokenizerBase") -> None:
    tokenizer.add_tokens([": Tom"])
    (example,) = tokenize(tokenizer, PromptsConfig(), [SHORT], 400)
    assert str(tokenizer.decode(example.tokens[: example.prompt])).endswith("\n[English]")
    assert tokenizer.decode(example.tokens[example.prompt :]) == ": Tom has five apples.</s>"


def test_a_pair_over_the_maximum_is_left_out_whole(tokenizer: "PreTrainedTokenizerBase") -> None:
    lengths = [len(example.tokens) for example in tokenize(tokenizer, PromptsConfig(), [SHORT, THAI], 400)]
    assert lengths[0] < lengths[1]
    for maximum, kept in ((lengths[1], 2), (lengths[1] - 1, 1), (lengths[0], 1)):
        examples = tokenize(tokenizer, PromptsConfig(), [SHORT, THAI], maximum)
        assert [len(example.tokens) for example in examples] == lengths[:kept]
    with pytest.raises(InputError, match=r"training\.max_length"):
        tokenize(tokenizer, PromptsConfig(), [SHORT, THAI], lengths[0] - 1)


def test_a_tokenizer_without_an_end_cannot_teach_a_model_to_stop(tokenizer: "PreTrainedTokenizerBase") -> None:
    tokenizer.eos_token = None
    with pytest.raises(InputError, match="end-of-sequence"):
        tokenize(tokenizer, PromptsConfig(), [SHORT], 400)


def test_what_each_step_of_a_training_learns_from_is_what_it_was(tokenizer: "PreTrainedTokenizerBase") -> None:
    pairs = [Pair(str(number), "de", "question", "ja " * number, "yes " * number) for number in range(1, 21)]
    examples = tokenize(tokenizer, PromptsConfig(), pairs, 200)
    steps = [[examples[index] for index in batch(step, len(examples), 8, seed=1)] for step in range(6)]
    learned = [[(tuple(example.tokens.tolist()), example.prompt) for example in step] for step in steps]
    digest = hashlib.sha256(repr(learned).encode()).hexdigest()[:16]
    assert digest == "08be26bee33b41dc", "another order or other tokens: raise the version of the train step"

"""One beginning of sequence and no end but training's, in every place, whatever the tokenizer's post-processor does."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.processors import BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing

from slam_ray.activations.plan import encode
from slam_ray.config import CountedConfig, InputError, PromptsConfig
from slam_ray.corpora import Pair, Question
from slam_ray.corpora.prompts import ask
from slam_ray.corpora.tokens import beginning_of, tokens_of
from slam_ray.evaluation.english_loss import english_loss
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import base_model
from slam_ray.training.examples import tokenize
from tests.models import byte_tokenizer, tiny_llama

BOS, EOS, PAD = ("<s>", 0), ("</s>", 1), ("<pad>", 2)
BEHIND = TemplateProcessing(single="$A </s>", special_tokens=[EOS])
# Name -> the post-processor, and what it puts in front.
PUT: dict[str, tuple[Any, tuple[int, ...]]] = {
    "beginning": (TemplateProcessing(single="<s> $A", special_tokens=[BOS]), (0,)),
    "both": (TemplateProcessing(single="<s> $A </s>", special_tokens=[BOS, EOS]), (0,)),
    "end": (BEHIND, ()),
    "two in front": (TemplateProcessing(single="<pad> <s> $A </s>", special_tokens=[PAD, BOS, EOS]), (2, 0)),
    "like BERT": (BertProcessing(EOS, BOS), (0,)),
    "like RoBERTa": (RobertaProcessing(EOS, BOS, trim_offsets=False, add_prefix_space=False), (0,)),
    "one after the other": (
        Sequence([ByteLevel(trim_offsets=False), TemplateProcessing(single="<s> $A", special_tokens=[BOS]), BEHIND]),
        (0,),
    ),
    "nothing": (ByteLevel(trim_offsets=False), ()),
}
PROMPTS = PromptsConfig(reasoning="Q {query} A", translation="{source} =")


def putting(folder: Path, name: str, template: str = "") -> Any:
    """A byte tokenizer with that post-processor."""
    byte_tokenizer(folder, template)
    file = str(folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(file)
    tokenizer.post_processor = PUT[name][0]
    tokenizer.save(file)
    return load_tokenizer(folder)


def ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("name", PUT)
def test_every_place_reads_one_beginning_and_no_end(name: str, tmp_path: Path) -> None:
    tokenizer, front = putting(tmp_path, name), PUT[name][1]
    assert tuple(tokenizer("ab")["input_ids"])[: len(front)] == front
    assert beginning_of(tokenizer) == front
    (filled,) = ask(PROMPTS, ["ab"], tokenizer)
    prompt = (*front, *ids(tokenizer, "Q ab A"))
    assert filled.tokens == prompt
    assert tokenizer.decode(filled.tokens[filled.start : filled.end]) == "ab"
    for text, counted in (("question", "ab"), ("prompt", "Q ab A"), ("answer", "Q ab A 5")):
        activations = CountedConfig(text=text, questions=1, groups=1, token_budget=100)
        questions = [Question("1", "en", "ab")]
        (encoded,) = encode(questions, activations, PROMPTS, tokenizer, {("en", "1"): " 5"})
        whole = "ab" if text == "question" else counted
        assert encoded.tokens == (*front, *ids(tokenizer, whole))
        assert tokenizer.decode(encoded.tokens[encoded.start : encoded.end]) == counted
    (example,) = tokenize(tokenizer, PROMPTS, [Pair("1", "de", "question", "ja", "yes")], 100)
    assert tuple(example.tokens) == (*front, *ids(tokenizer, "ja = yes"), 1)
    assert tokenizer.decode(example.tokens[example.prompt :]) == " yes</s>"


def test_these_are_the_ids(tmp_path: Path) -> None:
    (found,) = tokens_of(putting(tmp_path, "both"), ["a b"])
    assert (found.ids, found.spans, found.begins) == ((0, 67, 223, 68), ((0, 0), (0, 1), (1, 2), (2, 3)), 1)


@pytest.mark.parametrize(
    ("template", "begins"),
    [
        ("{{ bos_token }}[{{ messages[0].content }}]", 1),
        ("[{{ messages[0].content }}]", 1),
        ("\n{{ bos_token }}[{{ messages[0].content }}]", 2),
        ("Be brief.{{ bos_token }}[{{ messages[0].content }}]", 10),
    ],
)
@pytest.mark.parametrize("name", ["beginning", "both"])
def test_a_template_may_write_the_beginning_anywhere(name: str, template: str, begins: int, tmp_path: Path) -> None:
    tokenizer = putting(tmp_path, name, template)
    chat = PROMPTS.model_copy(update={"chat": True})
    (filled,) = ask(chat, ["ab"], tokenizer)
    assert (filled.tokens.count(0), filled.tokens.count(1), filled.begins) == (1, 0, begins)
    assert tokenizer.decode(filled.tokens).removeprefix("<s>") == filled.text.removeprefix("<s>")
    activations = CountedConfig(text="prompt", questions=1, groups=1, token_budget=100)
    (encoded,) = encode([Question("1", "en", "ab")], activations, chat, tokenizer)
    assert tokenizer.decode(encoded.tokens[encoded.start : encoded.end]) == "[Q ab A]"


def test_one_word_for_beginning_and_end_may_end_a_message(tmp_path: Path) -> None:
    tokenizer = putting(tmp_path, "beginning", "Be brief.{{ eos_token }}[{{ messages[0].content }}]")
    tokenizer.eos_token = "<s>"
    (filled,) = ask(PROMPTS.model_copy(update={"chat": True}), ["ab"], tokenizer)
    assert filled.tokens == (0, *ids(tokenizer, "Be brief.<s>[Q ab A]"))


def test_two_in_front_are_not_put_where_the_template_writes_them(tmp_path: Path) -> None:
    tokenizer = putting(tmp_path, "two in front", "{{ pad_token }}{{ bos_token }}[{{ messages[0].content }}]")
    (filled,) = ask(PROMPTS.model_copy(update={"chat": True}), ["ab"], tokenizer)
    assert filled.tokens == (2, 0, *ids(tokenizer, "[Q ab A]"))


def test_the_english_loss_is_the_same_with_an_end_behind_every_text(tmp_path: Path) -> None:
    base = base_model(str(tiny_llama(tmp_path / "base", layers=1)))
    texts = ["Ann reads.", "", "Bob has a dog. " * 100]
    plain = english_loss(texts, base, "float32", "cpu")
    putting(base.base, "both")
    assert english_loss(texts, base, "float32", "cpu") == plain
    putting(base.base, "two in front")
    two = english_loss(texts, base, "float32", "cpu")
    assert not isinstance(two, InputError)
    assert two.tokens == len(texts[0]) + 1024 - 2
    assert "'</s>'" in str(english_loss(["a</s>"], base, "float32", "cpu"))


@pytest.mark.parametrize("mark", ["<s>", "</s>"])
def test_a_text_that_spells_a_beginning_or_an_end_is_named(mark: str, tmp_path: Path) -> None:
    tokenizer = putting(tmp_path, "beginning")
    with pytest.raises(InputError, match=f"the question 'a{mark}b' holds '{mark}'"):
        ask(PROMPTS, ["ab", f"a{mark}b"], tokenizer)
    pairs = [Pair("7", "de", "answer", "ja", f"yes{mark}")]
    with pytest.raises(InputError, match=rf"the pair '7' \(de, answer\) holds '{mark}'"):
        tokenize(tokenizer, PROMPTS, pairs, 100)


@pytest.mark.parametrize("named", ["LlamaTokenizerFast", "GemmaTokenizer", "Qwen2Tokenizer", "PreTrainedTokenizerFast"])
def test_a_text_is_cut_as_the_file_says_whatever_class_is_named(named: str, tmp_path: Path) -> None:
    base = tiny_llama(tmp_path, layers=1)
    settings = base / "tokenizer_config.json"
    text = "Ann has  2 pens.\n\nএক ทอม"
    found = load_tokenizer(base)
    expected = found(text)["input_ids"]
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"tokenizer_class": named}))
    tokenizer = load_tokenizer(base)
    assert tokenizer(text)["input_ids"] == expected == [0, *(ids(found, text))]
    assert len(expected) == 1 + len(text.encode())
    assert tokenizer.decode(expected, skip_special_tokens=True) == text

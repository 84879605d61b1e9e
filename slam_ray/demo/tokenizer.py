"""The demo's tokenizer: byte-level BPE, digits apart, nearly every word and each prompt's wrapper one token.

A model of 2 M parameters cannot spare capacity for spelling. Words enter the vocabulary whole (`ignore_merges` looks a
whole word up before merging), and a Split on the unspaced scripts' lexicon keeps their words whole. What comes out is
an ordinary tokenizer.json; any other text falls back to merges and bytes.
"""

import json
import random
import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from slam_ray.config import ENGLISH, PromptsConfig
from slam_ray.corpora.prompts import translation_prompt
from slam_ray.demo.grammar import GRAMMARS, UNSPACED, marked_words, question, solution
from slam_ray.demo.problems import draw

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
MERGED_VOCABULARY = 700  # bytes and merges, before whole words are added
PROBLEMS = 2000
RARE = 3  # a word that occurs less often than this in PROBLEMS is spelled


@cache
def build_tokenizer() -> "PreTrainedTokenizerFast":
    """Make the tokenizer from fixed random training problems; it adds one BOS in front of every text."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    random_ = random.Random(0)
    problems = [draw(random_, "train") for _ in range(PROBLEMS)]
    texts = [text(problem, code) for problem in problems for code in GRAMMARS for text in (question, solution)]
    lexicon = {word for problem in problems for code in UNSPACED for word in marked_words(problem, code)}
    longest_first = "|".join(map(re.escape, sorted(lexicon, key=lambda word: (-len(word), word))))
    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f" ?(?:{longest_first})"), behavior="isolated"),
            pre_tokenizers.Split(Regex(r" ?[\p{L}\p{M}]+|\p{N}|\s+|[^\s\p{L}\p{M}\p{N}]"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    merging = Tokenizer(models.BPE())
    merging.pre_tokenizer = split
    trainer = trainers.BpeTrainer(
        vocab_size=MERGED_VOCABULARY,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    merging.train_from_iterator(texts, trainer)

    vocabulary, merges = _vocabulary_and_merges(merging)
    counts = Counter(word for text in texts for word, _ in split.pre_tokenize_str(text))
    for word in sorted(word for word, count in counts.items() if count >= RARE):
        vocabulary.setdefault(word, len(vocabulary))

    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, vocabulary[BOS])]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
    fast.add_tokens([AddedToken(wrapper, normalized=False) for wrapper in wrappers()])
    return fast


def wrappers() -> list[str]:
    """What the prompts put around a question or a source, each a single token."""
    prompts = PromptsConfig()
    before, after = prompts.reasoning.split("{query}")
    texts = [before, after]
    for language in GRAMMARS:
        if language != ENGLISH:
            opening, closing = translation_prompt(prompts, language, "\0").split("\0")
            texts += [opening, closing]
    return list(dict.fromkeys(texts))


def _vocabulary_and_merges(trained: "Tokenizer") -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = json.loads(trained.to_str())["model"]
    return model["vocab"], [(left, right) for left, right in model["merges"]]

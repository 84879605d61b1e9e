"""Prompts as tokens: one beginning of sequence, the question's own tokens, and chat templates as models have them."""

import json
from pathlib import Path
from typing import Any

import pytest

from slam_ray.config import CorporaConfig, InputError, LanguageConfig, PromptsConfig, SourceConfig
from slam_ray.corpora.languages import Languages
from slam_ray.corpora.prompts import FilledPrompt, ask, prompts_for, translation_prompt
from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import base_model, check_chat
from tests.models import CHAT_TEMPLATE, byte_tokenizer, tiny_llama

QUESTIONS = ["Juma ana {query} 3?", "ম এ ১২টি", "a"]
BOS = 0


def filled(folder: Path, prompts: PromptsConfig, template: str = "") -> tuple[list[FilledPrompt], Any]:
    byte_tokenizer(folder, template)
    tokenizer = load_tokenizer(folder)
    return ask(prompts, QUESTIONS, tokenizer), tokenizer


def check(prompt: FilledPrompt, question: str, tokenizer: Any) -> None:
    assert prompt.tokens.count(BOS) == 1
    assert prompt.tokens[0] == BOS
    assert tokenizer.decode(prompt.tokens[prompt.start : prompt.end]) == question
    assert tokenizer.decode(prompt.tokens, skip_special_tokens=True) == prompt.text.removeprefix("<s>")


def test_the_question_stands_in_the_papers_prompt(tmp_path: Path) -> None:
    prompts, tokenizer = filled(tmp_path, PromptsConfig())
    for prompt, question in zip(prompts, QUESTIONS, strict=True):
        check(prompt, question, tokenizer)
        assert prompt.text.startswith("Below is an instruction that describes a task. Write a response that")
        assert prompt.text.endswith(f"### Instruction:\n{question}\n\n### Response: Let's think step by step.")


@pytest.mark.parametrize("bos", ["{{ bos_token }}", ""])
def test_a_chat_has_one_beginning_whoever_writes_it(tmp_path: Path, bos: str) -> None:
    chat = PromptsConfig(reasoning="{query}\n\nThink.", chat=True)
    prompts, tokenizer = filled(tmp_path, chat, CHAT_TEMPLATE.replace("{{ bos_token }}", bos))
    for prompt, question in zip(prompts, QUESTIONS, strict=True):
        check(prompt, question, tokenizer)
        assert prompt.text.removeprefix("<s>") == f"<user>{question}\n\nThink.\n<assistant><think></think>"


def test_thinking_is_on_only_if_asked_for(tmp_path: Path) -> None:
    prompts, tokenizer = filled(tmp_path, PromptsConfig(chat=True, thinking=True), CHAT_TEMPLATE)
    assert prompts[0].text.endswith("<assistant>")
    check(prompts[0], QUESTIONS[0], tokenizer)
    with pytest.raises(ValueError, match=r"set prompts\.chat too"):
        PromptsConfig(thinking=True)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{{ date_string if date_string is defined else strftime_now('%d %b %Y') }}", "26 Jul 2024"),
        ("{% set today = strftime_now('%Y-%m-%d') %}{{ today }}", "2024-07-26"),
        ("{% macro day() %}{{ strftime_now('%A %d %B, %H:%M') }}{% endmacro %}{{ day() }}", "Friday 26 July, 00:00"),
    ],
)
def test_a_template_that_dates_its_prompt_does_not_change_from_day_to_day(
    written: str, said: str, tmp_path: Path
) -> None:
    prompts, _ = filled(tmp_path, PromptsConfig(chat=True), written + CHAT_TEMPLATE)
    assert prompts[0].text.startswith(f"{said}<s>")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('A system message must come first') }}", "A system message must come first"),
        ("{% if messages %}", "Unexpected end of template"),
        ("{{ messages[0].content }}{{ messages[0].images[0].path }}", "has no attribute 'images'"),
        ("{{ messages[0].content }}{{ messages[1].content }}", "list object has no element 1"),
        ("{{ messages[0].content + 1 }}", "can only concatenate str"),
        ("{{ messages[0].content }}{{ now() }}", "'now' is undefined"),
        ("{{ messages[0].content }}{% include 'other' %}", "no loader for this environment"),
        ("{{ ''.__class__.__mro__ }}", "is unsafe"),
        ({"tool_use": CHAT_TEMPLATE, "rag": CHAT_TEMPLATE}, "multiple chat templates with no default"),
    ],
)
def test_a_template_that_fails_is_one_message(template: str | dict[str, str], said: str, tmp_path: Path) -> None:
    byte_tokenizer(tmp_path)
    tokenizer: Any = load_tokenizer(tmp_path)
    tokenizer.chat_template = template
    with pytest.raises(InputError) as error:
        ask(PromptsConfig(chat=True), QUESTIONS, tokenizer)
    assert str(error.value).startswith("prompts.chat: the model's chat template cannot be used: ")
    assert said in str(error.value)


def test_of_several_templates_the_default_is_taken(tmp_path: Path) -> None:
    byte_tokenizer(tmp_path)
    named = [{"name": "rag", "template": "no"}, {"name": "default", "template": CHAT_TEMPLATE}]
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": named}))
    prompts = ask(PromptsConfig(chat=True), QUESTIONS, load_tokenizer(tmp_path))
    assert prompts[2].text.endswith(
        "### Instruction:\na\n\n### Response: Let's think step by step.\n<assistant><think></think>"
    )


def test_a_template_that_hides_the_message_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"prompts\.chat: the model's chat template does not show the message"):
        filled(tmp_path, PromptsConfig(chat=True), "hello")


def test_a_model_without_a_chat_template_is_refused_and_the_template_is_part_of_the_model(tmp_path: Path) -> None:
    plain = base_model(str(tiny_llama(tmp_path / "model")))
    check_chat(PromptsConfig(), plain)
    with pytest.raises(InputError, match=r"prompts\.chat: .*model has no chat template"):
        check_chat(PromptsConfig(chat=True), plain)
    (plain.base / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    chatting = base_model(str(plain.base))
    check_chat(PromptsConfig(chat=True), chatting)
    assert chatting.fingerprint != plain.fingerprint
    (plain.base / "chat_template.jinja").unlink()
    settings = json.loads((plain.base / "tokenizer_config.json").read_text())
    (plain.base / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": CHAT_TEMPLATE}))
    check_chat(PromptsConfig(chat=True), plain)
    for nothing in ("", None):
        (plain.base / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": nothing}))
        with pytest.raises(InputError, match="has no chat template"):
            check_chat(PromptsConfig(chat=True), plain)


def test_choices_are_asked_for_without_the_steps() -> None:
    prompts = PromptsConfig()
    choices = SourceConfig(path="x", format="xcsqa")
    for sources in (choices, (choices,)):
        assert prompts_for(prompts, sources).reasoning == prompts.choice
    assert prompts.choice == prompts.reasoning.removesuffix(" Let's think step by step.")
    for other in ("x.jsonl", SourceConfig(path="x", format="mgsm"), None):
        assert prompts_for(prompts, other) == prompts


@pytest.mark.parametrize(("language", "name"), [("sw", "Swahili"), ("yo", "Yoruba")])
def test_the_translation_prompt_is_the_papers_also_in_a_language_that_was_added(language: str, name: str) -> None:
    added = LanguageConfig(code="yo", name="Yoruba")
    languages = Languages.of(CorporaConfig(benchmarks={"b": "b"}, languages=("en", added)))
    assert translation_prompt(PromptsConfig(), language, "Habari {language}", languages) == (
        f"Translate this from [{name}] to [English]:\n[{name}]: Habari {{language}}\n[English]:"
    )

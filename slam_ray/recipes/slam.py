"""The paper's recipe (section 3): count, select, tune the selected layers' FFNs, and measure before and after."""

from dataclasses import dataclass, replace

from slam_ray.activations import Answers, count_step, sample_step, states_step
from slam_ray.config import RunConfig
from slam_ray.corpora.prompts import prompts_for
from slam_ray.evaluation import compare_step, english_loss_step, generate_step, read_answers
from slam_ray.models.hub import pretrained
from slam_ray.models.reference import Model, tuned
from slam_ray.recipes.benchmarks import responses_of, scores_of
from slam_ray.recipes.checks import settings_check, texts_check
from slam_ray.recipes.texts import Texts, texts_of
from slam_ray.reporting import BenchmarkSteps, ReportResult, RunSteps, report_step
from slam_ray.selection import select_step
from slam_ray.store.step import Step
from slam_ray.training import train_step


@dataclass(frozen=True)
class Slam:
    """What a run comes to: its steps, and the report on them, which is the last one."""

    steps: RunSteps
    report: Step[ReportResult]


def slam(config: RunConfig) -> Slam:
    """The steps of a run of SLAM.

    Raises:
        InputError: the model cannot be used.
    """
    texts = texts_of(config)
    model = pretrained(config.model)
    checks = [settings_check(config, model), texts_check(config, model, [*texts.benchmarks.values()], texts)]
    base = replace(model, after=[*texts.checks, *checks])

    # Section 3.1: the neurons that each language activates, layer by layer.
    answers = answers_of(config, texts, base)
    counts = count_step(config, texts.questions, base, answers)
    # Section 3.2: the layers that handle the input language.
    layers = select_step(config.selection, counts)
    # Section 3.3: their FFNs, tuned on translations into English.
    training = train_step(config, texts.pairs, base, layers)
    tuned_base = tuned(base, training)

    # Figures 2 and 3 for the tuned model too, with the layers that were tuned, whatever the rule says of it.
    tuned_layers = None
    if config.activations.tuned:
        tuned_counts = count_step(config, texts.questions, tuned_base, answers).labelled("count tuned")
        tuned_layers = select_step(config.selection, tuned_counts, layers).labelled("select tuned")
    # Figure 10.
    states = []
    if config.activations.states:
        states.append(states_step(config, texts.questions, base).labelled("states base"))
        if config.activations.tuned:
            states.append(states_step(config, texts.questions, tuned_base).labelled("states tuned"))
    english = None
    if texts.english is not None:
        english = (
            english_loss_step(config, texts.english, base).labelled("english loss base"),
            english_loss_step(config, texts.english, tuned_base).labelled("english loss tuned"),
        )

    # Section 4: both models answer every benchmark one after the other, so that they can share their engines.
    responses = responses_of(config, texts.benchmarks, base, "base")
    tuned_responses = responses_of(config, texts.benchmarks, tuned_base, "tuned")
    scores = scores_of(config, texts.benchmarks, responses, "base")
    tuned_scores = scores_of(config, texts.benchmarks, tuned_responses, "tuned")
    benchmarks = [
        BenchmarkSteps(
            name, before, tuned_scores[name], compare_step(before, tuned_scores[name]).labelled(f"compare {name}")
        )
        for name, before in scores.items()
    ]
    steps = RunSteps(texts.pairs, layers, training, benchmarks, english, tuned_layers, states)
    return Slam(steps, report_step(config, steps))


def answers_of(config: RunConfig, texts: Texts, base: Model) -> Answers | None:
    """The base's answers to the questions, where they are counted: both models then read one text."""
    if config.activations.text != "answer":
        return None
    sample = sample_step(config.activations, texts.questions).labelled("questions to answer")
    prompts = prompts_for(config.prompts, config.corpora.questions)
    responses = generate_step(config, prompts, sample, base).labelled("answer")
    return Answers(responses, read_answers)

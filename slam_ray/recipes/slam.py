"""The paper's recipe (section 3): count, select, tune the selected layers' FFNs, and measure before and after."""

from dataclasses import replace

from slam_ray.activations import count_step
from slam_ray.config import RunConfig
from slam_ray.corpora import pairs_step, problems_step, questions_step
from slam_ray.evaluation import compare_step, generate_step, score_step
from slam_ray.models.reference import ModelRef, base_model
from slam_ray.pipeline.stages import Done, Stage
from slam_ray.selection import select_step
from slam_ray.training import train_step

BEFORE, AFTER = "base", "tuned"


def corpora_stages(config: RunConfig) -> list[Stage]:
    """What is read from the user's files: made in the driver, before Ray is needed."""
    return [
        Stage("questions", lambda done: questions_step(config)),
        Stage("pairs", lambda done: pairs_step(config, done["questions"])),
        *(
            Stage(f"problems {name}", lambda done, name=name: problems_step(config, name))
            for name in config.corpora.benchmarks
        ),
    ]


def slam_stages(config: RunConfig) -> list[Stage]:
    """All stages of a run, each after what it reads.

    Raises:
        InputError: the model cannot be used.
    """
    base = base_model(config.model.path)
    benchmarks = list(config.corpora.benchmarks)

    def model(done: Done, which: str) -> ModelRef:
        return base if which == BEFORE else replace(base, trained=done["train"])

    def count(done: Done):
        return count_step(
            config.activations, config.prompts, config.model.dtype, done["questions"], base,
            done["questions"].result.languages, config.execution,
        )  # fmt: skip

    def train(done: Done):
        return train_step(
            config.training, config.prompts, config.model.dtype, done["pairs"], base,
            done["select"].result.layers, config.execution,
        )  # fmt: skip

    def generate(done: Done, which: str, name: str):
        return generate_step(
            config.evaluation, config.prompts, config.model.dtype, done[f"problems {name}"], model(done, which),
            config.execution,
        )  # fmt: skip

    def score(done: Done, which: str, name: str):
        return score_step(done[f"problems {name}"], done[f"generate {which} {name}"])

    return [
        *corpora_stages(config),
        Stage("count", count),
        Stage("select", lambda done: select_step(config.selection, done["count"])),
        Stage("train", train),
        *(
            Stage(f"generate {which} {name}", lambda done, which=which, name=name: generate(done, which, name))
            for which in (BEFORE, AFTER)
            for name in benchmarks
        ),
        *(
            Stage(f"score {which} {name}", lambda done, which=which, name=name: score(done, which, name))
            for which in (BEFORE, AFTER)
            for name in benchmarks
        ),
        *(
            Stage(
                f"compare {name}",
                lambda done, name=name: compare_step(done[f"score {BEFORE} {name}"], done[f"score {AFTER} {name}"]),
            )
            for name in benchmarks
        ),
    ]

"""Real vLLM engines in Ray actors against transformers, under kills, and over a resumed attempt."""

import contextlib
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ExecutionConfig, InputError, PromptsConfig
from slam_ray.corpora import Problem, problems_step
from slam_ray.evaluation import compare_step, generate_step, read_responses, score_step
from slam_ray.evaluation import engine as engine_module
from slam_ray.evaluation import pool as pool_module
from slam_ray.evaluation.engine import Completion, Engine, EngineKind, Request
from slam_ray.evaluation.pool import EnginePool
from slam_ray.evaluation.responses import FinishedResponses, Response
from slam_ray.models.loading import load_model
from slam_ray.models.reference import TRAINED_FILE, ModelRef, base_model
from slam_ray.models.weights import stored_tensors
from slam_ray.store.making import make
from slam_ray.store.step import Artifacts, known
from slam_ray.store.storage import Storage
from slam_ray.store.workers import Workers
from tests.artifacts import artifact_of
from tests.configs import run_config
from tests.meanwhile import meanwhile
from tests.models import tiny_llama

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.usefixtures("ray_cluster")
DTYPE = "float32"
KIND = EngineKind(DTYPE, 1024)  # the context of the tiny model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def base(folder: Path) -> ModelRef:
    return base_model(str(tiny_llama(folder / "base")))


@pytest.fixture(scope="module")
def variants(folder: Path, base: ModelRef) -> list[ModelRef]:
    """The base with other weights in one layer's up and down projections, eight times."""
    import torch
    from safetensors.torch import save_file

    names = [base.family.parameter(1, projection) for projection in ("up", "down")]
    state = load_model(base, DTYPE).state_dict()
    generator = torch.Generator().manual_seed(1)
    models = []
    for number in range(8):
        trained = {name: torch.randn(state[name].shape, generator=generator) for name in names}
        (folder / f"trained-{number}").mkdir()
        save_file(trained, folder / f"trained-{number}" / TRAINED_FILE)
        artifact = artifact_of(folder / f"trained-{number}", fingerprint=f"{number:020}")
        models.append(replace(base, trained=(artifact,)))
    return models


@pytest.fixture(scope="module")
def tuned(variants: list[ModelRef]) -> ModelRef:
    return variants[0]


@pytest.fixture(scope="module")
def cluster(ray_cluster: object) -> Iterator[RayCluster]:
    """Keeps one pool of two engines for all tests: starting one takes long."""
    with RayCluster(ExecutionConfig(engines=2)) as cluster:
        yield cluster


@pytest.fixture
def pool(cluster: RayCluster) -> EnginePool:
    workers = cluster.workers("engines")
    return cluster.keep("engines", lambda: EnginePool(workers))


def prompts(count: int) -> list[tuple[int, ...]]:
    """Prompts of different lengths and contents, behind one BOS."""
    return [(0, *(3 + (7 * key + 13 * index * index) % 256 for index in range(5 + key % 40))) for key in range(count)]


def requests(count: int, max_new_tokens: int) -> list[Request]:
    return [Request(key, prompt, max_new_tokens) for key, prompt in enumerate(prompts(count))]


def plain_greedy(model: ModelRef, count: int, max_new_tokens: int) -> list[tuple[int, ...]]:
    """What a fresh transformers model continues each prompt with, one at a time."""
    import torch

    reference: Any = load_model(model, DTYPE)
    # The project's own attention keeps no cache.
    reference.set_attn_implementation("sdpa")
    answers = []
    for prompt in prompts(count):
        ids = torch.tensor([prompt])
        output = reference.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_new_tokens, do_sample=False
        )
        answers.append(tuple(output[0, len(prompt) :].tolist()))
    return answers


def test_engines_agree_with_transformers_also_after_other_weights_and_the_first_ones_again(
    pool: EnginePool, base: ModelRef, tuned: ModelRef
) -> None:
    expected = {model.fingerprint: plain_greedy(model, 16, 16) for model in (base, tuned)}
    assert expected[base.fingerprint] != expected[tuned.fingerprint]
    for model in (base, tuned, base):
        found = {item.key: item for part in pool.generate(model, KIND, requests(16, 16)) for item in part}
        assert [found[key].tokens for key in range(16)] == expected[model.fingerprint]
        for item in found.values():
            ended = item.tokens[-1] == 1
            assert item.finish == ("stop" if ended else "length")


def test_eight_variants_of_a_base_write_no_weights_and_keep_the_engines(
    pool: EnginePool, base: ModelRef, variants: list[ModelRef]
) -> None:
    def weights() -> set[Path]:
        """Where the nodes of this machine could put some."""
        folders = Path("~/.cache").expanduser(), Path(tempfile.gettempdir())
        return {file for folder in folders for file in folder.rglob("*.safetensors")}

    list(pool.generate(base, KIND, requests(1, 1)))
    before, engines, answers = weights(), pool.processes, set()
    for model in variants:
        found = {item.key: item.tokens for part in pool.generate(model, KIND, requests(8, 8)) for item in part}
        answers.add(tuple(found[key] for key in range(8)))
    assert len(answers) == 8
    assert weights() == before
    assert pool.processes == engines


def test_engines_that_work_on_rows_of_another_model_are_not_asked(
    pool: EnginePool, base: ModelRef, tuned: ModelRef
) -> None:
    completions = pool.generate(base, KIND, requests(600, 48))
    next(completions)
    busy = pool.processes
    completions.close()
    found = {item.key: item for part in pool.generate(tuned, KIND, requests(600, 16)) for item in part}
    assert [found[key].tokens for key in range(16)] == plain_greedy(tuned, 16, 16)
    assert not set(busy) & set(pool.processes)


def bases_own(model: ModelRef, wanted: Callable[[str], bool] = bool) -> "Iterator[tuple[str, torch.Tensor]]":
    return stored_tensors(model.untuned, wanted)


class Stale(Engine):
    """An engine that puts the base's weights in place of those that were trained."""

    def load(self, model: ModelRef, kind: EngineKind, gpu: bool) -> int:
        engine_module.stored_tensors = bases_own
        return super().load(model, kind, gpu)


def test_an_engine_that_holds_other_weights_ends_the_generation(
    base: ModelRef, tuned: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "Engine", Stale)
    with EnginePool(Workers("engines", 1, cpus=1, gpus=0)) as pool:
        assert sum(len(part) for part in pool.generate(base, KIND, requests(8, 4))) == 8
        (engine,) = pool.processes
        with pytest.raises(InputError) as caught:
            list(pool.generate(tuned, KIND, requests(8, 4)))
        said = f"the engine in process {engine} does not hold the weights of {base.base} with what the training"
        assert str(caught.value).startswith(said)
        assert f"numbers of {base.family.parameter(1, 'up')} are others" in str(caught.value)
        assert pool.processes == []


class Compared(Engine):
    """An engine that compares its budgets of tokens and sequences with those that vLLM gives its own `LLM`."""

    def load(self, model: ModelRef, kind: EngineKind, gpu: bool) -> int:
        sequences = super().load(model, kind, gpu)
        from vllm.engine.arg_utils import EngineArgs
        from vllm.usage.usage_lib import UsageContext

        assert self._engine is not None
        scheduler = self._engine.vllm_config.scheduler_config
        tokens, most = (budget[UsageContext.LLM_CLASS] for budget in EngineArgs.get_batch_defaults(world_size=1))
        assert (scheduler.max_num_batched_tokens, scheduler.max_num_seqs, sequences) == (tokens, most, most)
        return sequences


def test_an_engine_with_the_budgets_of_vllms_llm_works_while_its_rows_are_handed_on(
    base: ModelRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Marked(Compared):
        """It leaves a file for each call in which it works on requests."""

        def advance(self, requests: Sequence[Request], refill: int) -> list[Completion]:
            tempfile.mkstemp(dir=tmp_path)
            return super().advance(requests, refill)

    monkeypatch.setattr(pool_module, "Engine", Marked)
    short, *long = requests(65, 512)
    with EnginePool(Workers("engines", 1, cpus=1, gpus=0)) as pool:
        completions = pool.generate(base, KIND, [replace(short, max_new_tokens=1), *long])
        rows = len(next(completions))  # the short one's, from the first call
        assert rows < 65
        end = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2:
            assert time.monotonic() < end, "the engine waits until its rows are taken"
            time.sleep(0.01)
        assert rows + sum(map(len, completions)) == 65


def test_requests_of_engines_that_are_killed_together_are_asked_again(
    pool: EnginePool,
    base: ModelRef,
    tuned: ModelRef,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "MAX_LOSSES", 1)
    list(pool.generate(base, KIND, requests(1, 1)))
    asked = requests(600, 48)
    found: list[Completion] = []
    victims: list[int] = []
    for completions in pool.generate(tuned, KIND, asked):
        found += completions
        if not victims:
            victims = pool.processes
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
    assert Counter(item.key for item in found) == Counter(request.key for request in asked)
    answers = {item.key: item.tokens for item in found}
    assert [answers[key] for key in range(16)] == plain_greedy(tuned, 16, 48)
    assert len(victims) == 2
    said = capfd.readouterr().out
    for victim in victims:
        assert not psutil.pid_exists(victim)
        assert f"engine in process {victim} lost, its " in said


def test_it_gives_up_where_engines_are_lost_again_and_again(
    base: ModelRef, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "MAX_LOSSES", 1)
    engine = EnginePool(Workers("engines", 1, cpus=1, gpus=0))

    def kill() -> None:
        for process in engine.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    with engine, meanwhile(kill, every_s=0.05), pytest.raises(RuntimeError, match="2 engines were lost while generat"):
        list(engine.generate(base, KIND, requests(1, 1)))


def test_what_an_engine_finds_wrong_arrives_as_it_was_said(base: ModelRef, tmp_path: Path) -> None:
    lacking = replace(base, trained=(artifact_of(tmp_path),))
    with (
        EnginePool(Workers("engines", 1, cpus=1, gpus=0)) as pool,
        pytest.raises(InputError) as caught,
    ):
        list(pool.generate(lacking, KIND, requests(1, 1)))
    assert str(caught.value) == f"{tmp_path} has no file '{TRAINED_FILE}'; remove this artifact"


def test_steps_go_on_from_a_killed_attempt_and_score_what_was_generated(
    cluster: RayCluster, pool: EnginePool, base: ModelRef, tuned: ModelRef, folder: Path
) -> None:
    asked = [
        Problem(f"p{number}", language, question, float(number))
        for number in range(6)
        for language, question in (("en", f"What is {number} and nothing?"), ("th", f"{number} กับศูนย์เป็นเท่าไร"))
    ]
    file = folder / "problems.jsonl"
    file.write_text("".join(json.dumps(problem.__dict__) + "\n" for problem in asked), encoding="utf-8")
    config = run_config(
        model={"path": str(base.base), "dtype": DTYPE},
        corpora={"benchmarks": {"b": str(file)}},
        evaluation={"max_new_tokens": 24},
    )
    artifacts = Artifacts(Storage(folder / "storage"))
    problems = problems_step(config, "b")
    prompts = PromptsConfig(reasoning="Q: {query}\nA:")
    generated = [generate_step(config, prompts, problems, known(model)) for model in (base, tuned)]
    scored = [score_step(config.evaluation, problems, responses) for responses in generated]
    comparison = compare_step(scored[0], scored[1])
    make([problems], artifacts, cluster)
    first = artifacts.find(generated[0])
    scratch = artifacts.storage.root / "artifacts" / "generate" / first.fingerprint / "scratch"
    kept = [Response(f"p{number}", "th", "?", f"คำตอบคือ {number}", "stop", 9) for number in range(3)]
    FinishedResponses(scratch, "killed").add(kept)

    engines = set(pool.processes)
    make(generated, artifacts, cluster)

    assert engines <= set(pool.processes), "the engines stay up from step to step"
    make([comparison], artifacts, cluster)
    responses = read_responses(artifacts[generated[0]])
    assert [(row.language, row.id) for row in responses] == sorted((row.language, row.id) for row in asked)
    assert [row for row in responses if row.prompt == "?"] == kept
    new = next(row for row in responses if row.id == "p5" and row.language == "en")
    assert new.prompt == "Q: What is 5 and nothing?\nA:"
    assert new.tokens == 24 or new.finish == "stop"
    before, after = (artifacts[step].result.extractors["strict"].languages["th"].accuracy for step in scored)
    assert before >= 50
    change = artifacts[comparison].result.extractors["strict"].languages["th"]
    assert change.difference == pytest.approx(after - before)


def test_engines_that_ray_cannot_start_say_what_they_want(
    base: ModelRef, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "ACTOR_TIMEOUT_S", 1.0)
    with (
        EnginePool(Workers("engines", 1, cpus=64, gpus=0)) as pool,
        pytest.raises(RuntimeError, match="no engine found a place in 1 s: each wants 64 CPU"),
    ):
        list(pool.generate(base, KIND, requests(1, 1)))

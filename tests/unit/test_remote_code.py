"""Python code that a checkpoint brings along: never run and no part of the model, unless it is asked for."""

import json
from pathlib import Path

import pytest

from slam_ray.models.loading import load_tokenizer
from slam_ray.models.reference import base_model
from tests.models import loaded, tiny_llama

CODE = """
from pathlib import Path
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
Path({marker!r}).write_text("code of the checkpoint ran")
class CustomModel(LlamaForCausalLM):
    pass
class CustomTokenizer(PreTrainedTokenizerFast):
    pass
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tiny_llama(tmp_path / "checkpoint")
    (folder / "custom.py").write_text(CODE.format(marker=str(tmp_path / "ran")))
    for name, value in (
        ("config.json", {"AutoModelForCausalLM": "custom.CustomModel"}),
        ("tokenizer_config.json", {"AutoTokenizer": [None, "custom.CustomTokenizer"]}),
    ):
        settings = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**settings, "auto_map": value}))
    return folder


def test_code_is_not_run_unless_it_is_asked_for(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = checkpoint.parent / "modules"
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(modules))
    assert type(loaded(checkpoint)).__name__ == "LlamaForCausalLM"
    load_tokenizer(checkpoint)
    assert not (checkpoint.parent / "ran").exists()
    assert type(loaded(checkpoint, trusted=True)).__name__ == "CustomModel"
    assert type(load_tokenizer(checkpoint, trusted=True)).__name__ == "CustomTokenizer"
    assert (checkpoint.parent / "ran").exists()


def test_code_is_part_of_a_model_only_where_it_may_run(checkpoint: Path) -> None:
    untrusted, trusted = base_model(str(checkpoint)), base_model(str(checkpoint), trusted=True)
    assert "custom.py" not in dict(untrusted.manifest)
    assert "custom.py" in dict(trusted.manifest)
    assert (untrusted.trusted, trusted.trusted) == (False, True)

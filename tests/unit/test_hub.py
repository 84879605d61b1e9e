"""A model from the Hub, against a server on this machine that speaks the Hub's protocol."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models import tiny_llama

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
STRAYS = ("pytorch_model.bin", "consolidated.safetensors", "model.fp16.safetensors", "params.json")
SCRIPT = """
import sys
from pathlib import Path
from slam_ray.cluster.ray_cluster import RayCluster
from slam_ray.config import ExecutionConfig, InputError, ModelConfig
from slam_ray.models.hub import pretrained
from slam_ray.store.step import Artifacts
from slam_ray.store.making import describe, plan
from slam_ray.store.step import steps_to
from slam_ray.store.storage import Storage
storage, model = Storage(Path(sys.argv[1])), pretrained(ModelConfig(hub=sys.argv[2]))
artifacts, (fetch,) = Artifacts(storage), steps_to(model)
print(describe(plan([fetch], storage)))
try:
    with RayCluster(ExecutionConfig()) as cluster:
        commit = artifacts.make(fetch, cluster).result.commit
    print(commit, artifacts[model].fingerprint, artifacts[model].base)
except InputError as error:
    print("InputError:", error)
"""


class Hub(http.server.BaseHTTPRequestHandler):
    folder: Path

    def do_HEAD(self) -> None:
        self.answer(head=True)

    def do_GET(self) -> None:
        self.answer(head=False)

    def answer(self, head: bool) -> None:
        files = {file.name: file.read_bytes() for file in self.folder.iterdir()}
        name = self.path.split("?")[0].rsplit("/", 1)[-1]
        if not self.path.startswith(("/api/models/me/tiny", "/me/tiny/resolve")):
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            return
        if "/tree/" in self.path:
            body = json.dumps([{"type": "file", "path": n, "size": len(c), "oid": "0" * 40} for n, c in files.items()])
            content = body.encode()
        elif self.path.startswith("/api/"):
            siblings = [{"rfilename": name} for name in files]
            content = json.dumps({"id": "me/tiny", "sha": COMMIT, "siblings": siblings}).encode()
        else:
            content = files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if not head:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    folder = tiny_llama(tmp_path / "published")
    for stray in STRAYS:
        (folder / stray).write_bytes(b"a pickle, or other weights")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Published", (Hub,), {"folder": folder}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def fetch(tmp_path: Path, endpoint: str, name: str) -> str:
    """Commit, fingerprint and folder of a fetched model in words, or the error."""
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    environment |= {"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "storage"), name]
    planned, said = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert planned.startswith(f"fetch {name}  ")
    return said


def test_a_model_is_fetched_once_and_known_by_its_commit(hub: str, tmp_path: Path) -> None:
    commit, fingerprint, folder = fetch(tmp_path, hub, "me/tiny").split()
    assert commit == COMMIT
    assert (Path(folder) / "model.safetensors").exists()
    assert not [stray for stray in STRAYS if (Path(folder) / stray).exists()], "they are never fetched"
    nowhere = "http://127.0.0.1:1"
    assert fetch(tmp_path, nowhere, "me/tiny").split() == [commit, fingerprint, folder]
    (Path(folder) / "model.safetensors").unlink()
    assert fetch(tmp_path, hub, "me/tiny").split() == [commit, fingerprint, folder]
    assert (Path(folder) / "model.safetensors").exists(), "fetched again"


def test_a_model_that_is_not_there_is_named(hub: str, tmp_path: Path) -> None:
    said = fetch(tmp_path, hub, "me/none")
    assert said.startswith("InputError: model.hub: cannot fetch 'me/none' (revision main) from the Hub")


def test_a_quantised_model_is_refused_before_its_weights_are_fetched(hub: str, tmp_path: Path) -> None:
    config = tmp_path / "published" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"quantization_config": {"quant_method": "gptq"}}))
    said = fetch(tmp_path, hub, "me/tiny")
    assert said.startswith("InputError: model.hub: me/tiny:")
    assert "is quantised (gptq)" in said
    assert not [*tmp_path.glob("home/**/*.safetensors")]

"""Every command in the guides exists and is right as far as that can be seen here, and says what has been run."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml
from ray.scripts.scripts import cli

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "docs" / f"{name}.md" for name in ("gpu-machine", "aws", "kubernetes")]
NAMES = {"REGISTRY": "example.org", "AMI": "ami-1", "FILE_SYSTEM": "fs-1", "HOME": "/home/me"}
WRITTEN = {"my-cluster.yaml"}  # by a command of the same page


def blocks(guide: Path) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```", guide.read_text(), re.MULTILINE | re.DOTALL)


def commands(guide: Path) -> list[str]:
    return [line for block in blocks(guide) for line in block.replace("\\\n", " ").splitlines()]


COMMANDS = sorted({command for guide in GUIDES for command in commands(guide)})


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide_is_bash_and_says_what_was_run(guide: Path) -> None:
    assert re.search(r"^\*\*Status, 20\d\d-\d\d-\d\d\.\*\*", guide.read_text(), re.MULTILINE)
    assert "Not run" in guide.read_text()
    assert commands(guide)
    for block in blocks(guide):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.split())[:60])
def test_a_command_is_right(command: str, tmp_path: Path) -> None:
    for part in command.split("|"):
        words = shlex.split(re.sub(r"\$(\w+)", lambda name: NAMES[name[1]], part.split(">")[0]))
        CHECKS[words[0]](words, tmp_path)


def check_python(words: list[str], folder: Path) -> None:
    check_dry_run([sys.executable, ROOT / words[1], *words[2:]], folder)


def check_slam_ray(words: list[str], folder: Path) -> None:
    check_dry_run([Path(sys.executable).with_name("slam-ray"), *words[1:]], folder)


def check_dry_run(command: list[str | Path], folder: Path) -> None:
    command += ["--storage", str(folder), "--dry-run"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 3, run.stdout + run.stderr
    assert "to do" in run.stdout


def check_ray(words: list[str], folder: Path) -> None:
    """Every option and argument is one that the command of Ray takes."""
    command: click.Command = cli
    context = None
    words = words[1:]
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(click.Context(command, parent=context), words)
        assert name is not None
        assert found is not None
        context, command = click.Context(command, parent=context, info_name=name), found
    made = command.make_context(command.name, words, parent=context)
    assert {Path(word).name for word in words if word.endswith(".yaml")} <= WRITTEN
    if command.name == "submit":
        assert "entrypoint_num_cpus" in made.params
        assert made.params["entrypoint_num_cpus"] is made.params["entrypoint_num_gpus"] is None
        entrypoint = list(made.params["entrypoint"])
        CHECKS[entrypoint[0]](entrypoint, folder)


def check_local_nodes(words: list[str], folder: Path) -> None:
    mark = words.index("--")
    run = subprocess.run([*words[:mark], "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(word in run.stdout for word in words[:mark] if word.startswith("--"))
    inner = words[mark + 1 :]
    CHECKS[inner[0]](inner, folder)


def check_sed(words: list[str], folder: Path) -> None:
    """It leaves no name of ours where the reader's belong."""
    written = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert yaml.safe_load(written)
    assert not re.search(r"registry\.example\.com/|-0000000", re.sub(r"^#.*", "", written, flags=re.MULTILINE))


def check_kubectl(words: list[str], folder: Path) -> None:
    assert words[1] in ("apply", "create", "get", "logs", "delete")
    files = [words[place + 1] for place, word in enumerate(words) if word == "-f"]
    assert all(file == "-" or yaml.safe_load((ROOT / file).read_text()) for file in files)
    if "rayjob" in words:
        job = yaml.safe_load((ROOT / "cluster" / "kuberay" / "rayjob.yaml").read_text())
        assert words[-1] == job["metadata"]["name"]


def check_docker(words: list[str], folder: Path) -> None:
    assert words[1] in ("build", "push")
    (image,) = (word for word in words if "/slam_ray:" in word)
    text = (ROOT / "cluster" / "kuberay" / "rayjob.yaml").read_text()
    assert image.replace(NAMES["REGISTRY"], "registry.example.com") in text
    if words[1] == "build":
        assert (ROOT / words[words.index("-f") + 1]).is_file()


def check_pip(words: list[str], folder: Path) -> None:
    assert words[-1] in (ROOT / "cluster" / "Dockerfile").read_text(), "another version than in the image"


def check_make(words: list[str], folder: Path) -> None:
    subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, check=True)


def check_source(words: list[str], folder: Path) -> None:
    assert words[1] == ".venv/bin/activate"


def check_export(words: list[str], folder: Path) -> None:
    assert words[1:] == ["RAY_AUTH_MODE=token"]


def check_helm(words: list[str], folder: Path) -> None:
    assert words[1] in ("repo", "install")


CHECKS: dict[str, Callable[[list[str], Path], None]] = {
    "cluster/local_nodes.sh": check_local_nodes,
    "docker": check_docker,
    "export": check_export,
    "helm": check_helm,
    "kubectl": check_kubectl,
    "make": check_make,
    "pip": check_pip,
    "python": check_python,
    "ray": check_ray,
    "sed": check_sed,
    "slam-ray": check_slam_ray,
    "source": check_source,
}

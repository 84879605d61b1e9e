"""The command line of a job: a preset or YAML file, dotted overrides, and switches of the job itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic_core import PydanticUndefined

from slam_ray.config.errors import InputError, nearest
from slam_ray.config.load import known_keys, presets


@dataclass(frozen=True)
class Command:
    """What was asked for.

    Attributes:
        source: preset or YAML file.
        overrides: dotted key -> text.
        switches: those of the job's switches that were given.
    """

    source: str
    overrides: Mapping[str, str]
    switches: frozenset[str]


def parse_command(argv: Sequence[str], prog: str, about: str, switches: Mapping[str, str]) -> Command:
    """Read `SOURCE [--switch] [--dotted.key VALUE] ...`.

    Args:
        argv: arguments after the program's name; `--help` prints the help and exits.
        prog: the program, for messages.
        about: what the job does.
        switches: name -> help of each switch of the job.

    Raises:
        InputError: no source, a stray word, an override without a value.
    """
    if {"-h", "--help"} & set(argv):
        print(_help(prog, about, switches))
        raise SystemExit(0)
    keys = [key for key, _ in known_keys()]
    sources, overrides, given = [], {}, set()
    words = list(argv)
    while words:
        word = words.pop(0)
        key, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            sources.append(word)
        elif key in switches and not equals:
            given.add(key)
        elif key not in keys and not key.startswith("corpora.benchmarks."):
            raise InputError(f"unknown option --{key}: {nearest(key, [*keys, *switches])}")
        elif equals:
            overrides[key] = value
        elif words and not words[0].startswith("--"):
            overrides[key] = words.pop(0)
        else:
            raise InputError(f"--{key} needs a value")
    if len(sources) != 1:
        raise InputError(f"give one preset ({', '.join(presets())}) or YAML file; got {' '.join(sources) or 'none'}")
    return Command(sources[0], overrides, frozenset(given))


def _help(prog: str, about: str, switches: Mapping[str, str]) -> str:
    lines = [
        f"usage: {prog} PRESET|FILE.yaml [options]",
        "",
        about.strip(),
        "",
        f"presets: {', '.join(presets())}",
        "",
    ]
    lines += [f"  --{name:<30} {text}" for name, text in switches.items()]
    for key, field in known_keys():
        default = "" if field.default in (PydanticUndefined, None) or "\n" in str(field.default) else field.default
        shown = f" [{','.join(default) if isinstance(default, tuple) else default}]" if default != "" else ""
        lines.append(f"  --{key:<30} {field.description or ''}{shown}")
    return "\n".join([*lines, "", "A list is given as [a, b]."])

"""The command line of a job: a preset or YAML file, dotted overrides, and options of the job itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic_core import PydanticUndefined

from slam_ray.config.errors import InputError, nearest
from slam_ray.config.load import known_keys, presets

DRY_RUN = {"dry-run": "say which steps are done or to do; exit code 0 if all are done, 3 if not"}
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
# Keys inside a source; the configuration says which there are.
SOURCES = ("corpora.questions.", "corpora.pairs.", "corpora.benchmarks.")


@dataclass(frozen=True)
class Command:
    """What was asked for.

    Attributes:
        source: preset or YAML file, or whatever else the job is about.
        options: those of the job's options that were given.
        overrides: dotted key -> text.
        dry_run: only say what would be done.
    """

    source: str
    options: Mapping[str, str]
    overrides: Mapping[str, str]
    dry_run: bool


def parse_command(
    argv: Sequence[str],
    prog: str,
    about: str,
    options: Mapping[str, str] = NO_OPTIONS,
    source: str = "PRESET|FILE.yaml",
) -> Command:
    """Read `SOURCE [--dry-run] [--option VALUE] [--dotted.key VALUE] ...`.

    Args:
        argv: arguments after the program's name; `--help` prints the help and exits.
        prog: the program, for messages.
        about: what the job does.
        options: name -> help of each option of the job.
        source: what the one word without dashes is.

    Raises:
        InputError: no source, a stray word, an override without a value.
    """
    if {"-h", "--help"} & set(argv):
        print(_help(f"usage: {prog} {source} [options]", about, {**DRY_RUN, **options}))
        raise SystemExit(0)
    keys = [key for key, _ in known_keys()]
    sources, values, dry_run = [], {}, False
    words = list(argv)
    while words:
        word = words.pop(0)
        key, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            sources.append(word)
        elif key in DRY_RUN and not equals:
            dry_run = True
        elif key not in keys and key not in options and not key.startswith(SOURCES):
            raise InputError(f"unknown option --{key}: {nearest(key, [*keys, *DRY_RUN, *options])}")
        elif equals:
            values[key] = value
        elif words and not words[0].startswith("--"):
            values[key] = words.pop(0)
        else:
            raise InputError(f"--{key} needs a value")
    if len(sources) != 1:
        raise InputError(f"give one {source}; got {' '.join(sources) or 'none'} (presets: {', '.join(presets())})")
    asked = {key: values.pop(key) for key in options if key in values}
    return Command(sources[0], asked, values, dry_run)


def _help(usage: str, about: str, own: Mapping[str, str]) -> str:
    lines = [
        usage,
        "",
        about.strip(),
        "",
        f"presets: {', '.join(presets())}",
        "",
    ]
    lines += [f"  --{name:<30} {text}" for name, text in own.items()]
    for key, field in known_keys():
        default = "" if field.default in (PydanticUndefined, None) or "\n" in str(field.default) else field.default
        shown = f" [{','.join(default) if isinstance(default, tuple) else default}]" if default != "" else ""
        lines.append(f"  --{key:<30} {field.description or ''}{shown}")
    return "\n".join([*lines, "", "A list is given as [a, b]."])

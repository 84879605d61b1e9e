"""The arguments of a command; those of a run are a preset or YAML file, and any key of the configuration."""

import argparse
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, NoReturn

from pydantic_core import PydanticUndefined

from slam_ray.config import InputError, known_keys, nearest, presets

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
# The keys below these are not listed in the help; the configuration checks them.
SOURCES = ("--corpora.questions.", "--corpora.pairs.", "--corpora.benchmarks.")


class Parser(argparse.ArgumentParser):
    """Keeps the lines of the description as they are, and raises InputError for what is wrong."""

    def __init__(self, prog: str, description: str | None = None) -> None:
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, description=description, formatter_class=form, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


class RunArguments(NamedTuple):
    """A preset, YAML file or model; the text of each key, or other option, that is given; whether to plan only."""

    source: str
    values: dict[str, str]
    dry_run: bool


def parse_run(
    argv: Sequence[str],
    command: str,
    about: str,
    source: str = "PRESET|FILE.yaml",
    options: Mapping[str, str] = NO_OPTIONS,
) -> RunArguments:
    """Read `SOURCE [--dry-run] [--dotted.key VALUE] ...`; `--help` prints `about` and exits.

    `options` are those that are no keys of the configuration, each with its help.

    Raises:
        InputError: no source, a stray word, an unknown option, one without a value.
    """
    parser = Parser(f"slam-ray {command}", about)
    parser.usage = f"slam-ray {command} {source} [--KEY VALUE ...]"
    parser.epilog = f"presets: {', '.join(presets())}\nA list is given as [a, b]."
    planned = "say which steps are done or to do; exit code 0 if all are done, 3 if not"
    parser.add_argument("--dry-run", action="store_true", help=planned)
    helps = dict(options)
    for key, field in known_keys():
        default = "" if field.default in (PydanticUndefined, None) or "\n" in str(field.default) else field.default
        shown = f" [{','.join(default) if isinstance(default, tuple) else default}]" if default != "" else ""
        helps[key] = f"{field.description or ''}{shown}"
    for key, text in helps.items():
        parser.add_argument(f"--{key}", dest=key, metavar="VALUE", help=text.replace("%", "%%"))
    for option in {word.partition("=")[0] for word in argv if word.startswith(SOURCES)}:
        parser.add_argument(option, dest=option.removeprefix("--"), help=argparse.SUPPRESS)
    given, words = parser.parse_known_args(argv)
    for word in words:
        if word.startswith("--"):
            key = word.removeprefix("--").partition("=")[0]
            raise InputError(f"unknown option --{key}: {nearest(key, [*helps, 'dry-run'])}")
    if len(words) != 1:
        raise InputError(f"give one {source}; got {' '.join(words) or 'none'} (presets: {', '.join(presets())})")
    values = {key: value for key, value in vars(given).items() if value is not None and key != "dry_run"}
    return RunArguments(words[0], values, given.dry_run)

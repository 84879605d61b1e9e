"""From a preset or a YAML file and overrides to a `RunConfig`; every mistake is named with what would be right.

A path in a YAML file counts from the folder of that file, a path on the command line from the current folder.
"""

import codecs
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from slam_ray.config.errors import InputError, nearest
from slam_ray.config.schema import LanguageConfig, RunConfig, SourceConfig

PRESETS = Path(__file__).parent.parent / "presets"
STORAGE_VARIABLE = "SLAM_RAY_STORAGE"
S3 = "s3://"
_S3_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[\w.=-]+)+/?", re.ASCII)
SURROGATE = re.compile("[\ud800-\udfff]")
# An alias may make a few lines of YAML an endless value, and PyYAML reads integers of any size.
MOST_VALUES, DEEPEST, LARGEST = 10_000, 20, 2**63
# A place given on the command line takes that of the file away.
_DISPLACED = {"path": ("hub", "subset", "revision"), "hub": ("path",)}
# Sections without a key of their own, by the tag of their form in schema.py.
_LISTED: dict[str, type[BaseModel]] = {"(section)": SourceConfig, "(language)": LanguageConfig}
_PATH_KEY = re.compile(r"model\.path|(search\.problems|corpora\.(questions|pairs|english|benchmarks\.[^.]+))(\.path)?")


def load_config(source: str, overrides: Mapping[str, str]) -> RunConfig:
    """The configuration `source` with `overrides` applied.

    Args:
        source: name of a preset, or path of a YAML file.
        overrides: dotted key -> value, read as YAML.

    Raises:
        InputError: unknown preset, file, key or value.
    """
    file = _find(source)
    values: dict[str, Any] = {
        "name": file.stem,
        "storage": default_storage(),
        **_read(file),
    }
    return resolved(_located("", values, file.parent), overrides, source)


def resolved(values: dict[str, Any], overrides: Mapping[str, str], source: str) -> RunConfig:
    """The configuration of these values, their paths absolute, with `overrides` applied.

    Args:
        values: sections as in a YAML file; taken over.
        overrides: dotted key -> value, read as YAML.
        source: where the values are from, for messages.

    Raises:
        InputError: unknown key or value.
    """
    for key, text in overrides.items():
        # Plain words stay texts: YAML would read the language code `no` as a boolean.
        value = _parsed(text, f"--{key}") if text.startswith(("[", "{", '"')) else _bounded(text, f"--{key}")
        _put(values, key, _located(key, value, Path.cwd()))
    try:
        config = RunConfig.model_validate(values)
    except ValidationError as error:
        raise InputError(_explain(error, source)) from None
    return config


def presets() -> list[str]:
    """Names of the presets that ship with the project."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def known_keys(model: type[BaseModel] = RunConfig, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key that has a value of its own, with its pydantic field."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from known_keys(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def default_storage() -> str:
    """Where artifacts and runs go when nothing else is said: `$SLAM_RAY_STORAGE`, or the current folder.

    Inside a submitted Ray job the current folder is a copy that Ray removes: then it is `~/slam_ray`.
    """
    if given := os.environ.get(STORAGE_VARIABLE):
        return storage_of(given, STORAGE_VARIABLE)
    here = os.getcwd()
    submitted = f"{os.sep}working_dir_files{os.sep}" in here
    return str(Path.home() / "slam_ray") if submitted else here


def path_of(text: str, key: str, folder: Path = Path()) -> Path:
    """The path that `text` is, absolute, counted from `folder`.

    Raises:
        InputError: it cannot be one; whether something is there is not asked.
    """
    try:
        path = (folder / Path(text).expanduser()).absolute().resolve()
        str(path).encode()  # what is recorded is UTF-8
        path.exists()  # raises for a name that is too long, and for a folder that may not be looked into
    except (OSError, RuntimeError, ValueError) as error:  # also: a link to itself, ~ of nobody, a character of no file
        raise InputError(f"{key}: {text!r} cannot be a path ({getattr(error, 'strerror', None) or error})") from None
    return path


def storage_of(text: str, key: str, folder: Path = Path()) -> str:
    """The storage that `text` is: an absolute path, counted from `folder`, or an s3:// URL.

    Raises:
        InputError: it is neither.
    """
    if "://" not in text:
        return str(path_of(text, key, folder))
    if not _S3_URL.fullmatch(text) or ".." in text:
        # Not said back: what is wrong may be a password in it.
        raise InputError(f"{key}: give a folder, or s3://BUCKET/PREFIX without user, password or query")
    return text.rstrip("/")


def _find(source: str) -> Path:
    if source.endswith((".yaml", ".yml")):
        file = path_of(source, "configuration file")
        if not file.is_file():
            raise InputError(f"no such configuration file: {file}")
        return file
    if source not in presets():
        raise InputError(f"unknown preset {source!r}: {nearest(source, presets())} (a file of your own ends in .yaml)")
    return PRESETS / f"{source}.yaml"


class _EachKeyOnce(yaml.SafeLoader):
    """YAML of which a key that stands twice in one section is a mistake: PyYAML forgets the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        seen = set()
        for key in (key for key, _ in pairs if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def _parsed(text: str, where: str) -> Any:
    try:
        return _bounded(yaml.load(text, _EachKeyOnce), where)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{where} is not YAML: {' '.join(str(error).split())}") from None
    except (ValueError, LookupError, AttributeError) as error:  # of PyYAML, for a value that is not of its type
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{where} holds a value that is not of its type, such as the date 2001-02-30: {error}"
        ) from None


def _bounded(value: Any, where: str) -> Any:
    """`value`; InputError if it has no end, or what no record can hold: integers of any size, halves of characters."""
    level = [value]
    for _ in range(DEEPEST):
        if any(isinstance(each, int) and abs(each) >= LARGEST for each in level):
            raise InputError(f"{where}: an integer has more than 64 bits")
        if wrong := [each for each in level if isinstance(each, str) and SURROGATE.search(each)]:
            raise InputError(f"{where}: {wrong[0]!r} is not UTF-8, or holds half of a surrogate pair")
        level = list(islice((inner for each in level for inner in _inside(each)), MOST_VALUES + 1))
        if not level:
            return value
        if len(level) > MOST_VALUES:
            break
    raise InputError(
        f"{where}: more than {MOST_VALUES} values, or over {DEEPEST} levels of them; is an alias in itself?"
    )


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list | tuple | set) else ()


def _read(file: Path) -> dict[str, Any]:
    try:
        values = _parsed(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError as error:
        utf_16 = error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        raise InputError(f"{file} is {'UTF-16' if utf_16 else 'not UTF-8'}; save it as UTF-8 ({error})") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f"{file}: expected keys and values such as `model: {{path: ...}}` at the top")
    return values


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise InputError(f"{key}: {section!r} is a value, not a section")
        values = inner
    for name in _DISPLACED.get(last, ()):
        values.pop(name, None)
    values[last] = value


def _located(key: str, value: Any, folder: Path) -> Any:
    """`value` of `key` with every path in it, however deep, counted from `folder`."""
    if isinstance(value, dict):
        return {name: _located(f"{key}.{name}" if key else str(name), item, folder) for name, item in value.items()}
    if isinstance(value, list):
        return [_located(key, item, folder) for item in value]
    if isinstance(value, str) and key == "storage":
        return storage_of(value, key, folder)
    if isinstance(value, str) and _PATH_KEY.fullmatch(key):
        return str(path_of(value, key, folder))
    return value


def _explain(error: ValidationError, source: str) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"] if not str(part).startswith(("(", "[")))
        listed = next((model for form, model in _LISTED.items() if form in problem["loc"]), None)
        if problem["type"] == "extra_forbidden":
            inside = [f"{key.rpartition('.')[0]}.{name}" for name in listed.model_fields] if listed else []
            known = inside or [name for name, _ in known_keys()]
            lines.append(f"unknown key {key!r}: {nearest(key, known)}")
        elif problem["type"] == "missing" and listed:
            lines.append(f"{key} is missing: give it there")
        elif problem["type"] == "missing":
            lines.append(f"{key} is missing: set it in the file or with --{key}")
        else:
            got = "" if problem["type"] == "secret" else f", got {problem['input']!r}"
            lines.append(f"{key}: {problem['msg'].removeprefix('Value error, ')}{got}")
    return f"{source}: " + "; ".join(lines)

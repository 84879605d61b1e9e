"""From a preset or a YAML file and options to a `RunConfig`; an error names each mistake and what would be right.

A path in a YAML file counts from the folder of that file, a path in an option from the current folder.
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
MAX_VALUES, MAX_DEPTH, INTEGER_BOUND = 10_000, 20, 2**63
# An option for the one removes the others, which the file may give.
_REMOVED_BY = {"path": ("hub", "subset", "revision"), "hub": ("path",)}
# Sections that stand in a list, or instead of a text, by their tag in schema.py.
_TAGGED: dict[str, type[BaseModel]] = {"(section)": SourceConfig, "(language)": LanguageConfig}
_PATH_KEY = re.compile(r"model\.path|(search\.problems|corpora\.(questions|pairs|english|benchmarks\.[^.]+))(\.path)?")


def load_config(source: str, overrides: Mapping[str, str]) -> RunConfig:
    """The configuration of `source`, a preset or a YAML file, with `overrides` as `resolved` applies them.

    Raises:
        InputError: unknown preset, file, key or value.
    """
    file = _find(source)
    values = {"name": file.stem, "storage": default_storage(), **_read(file)}
    return resolved(_with_absolute_paths("", values, file.parent), overrides, source)


def resolved(values: dict[str, Any], overrides: Mapping[str, str], source: str) -> RunConfig:
    """The configuration of `values`, sections with absolute paths, which are changed by `overrides` first.

    Args:
        values: sections as in a YAML file.
        overrides: dotted key -> value, read as YAML.
        source: where the values are from, for messages.

    Raises:
        InputError: unknown key or value.
    """
    for key, text in overrides.items():
        # Plain words stay texts: YAML would read the language code `no` as a boolean.
        value = _parsed(text, f"--{key}") if text.startswith(("[", "{", '"')) else _checked(text, f"--{key}")
        _put(values, key, _with_absolute_paths(key, value, Path.cwd()))
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
    """Where artifacts and runs go unless the configuration says it: `$SLAM_RAY_STORAGE`, or the current folder.

    In a submitted Ray job that folder is a copy that Ray removes, so `~/slam_ray` takes its place.
    """
    if named := os.environ.get(STORAGE_VARIABLE):
        return storage_of(named, STORAGE_VARIABLE)
    here = os.getcwd()
    return str(Path.home() / "slam_ray") if f"{os.sep}working_dir_files{os.sep}" in here else here


def path_of(text: str, key: str, folder: Path = Path()) -> Path:
    """The path that `text` is, absolute, counted from `folder`.

    Raises:
        InputError: it cannot be one; a path at which nothing is can.
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


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one section; PyYAML would keep the second alone."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        keys = set()
        for key in (key for key, _ in pairs if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in keys:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            keys.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def _parsed(text: str, where: str) -> Any:
    try:
        value = yaml.load(text, _UniqueKeyLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{where} is not YAML: {' '.join(str(error).split())}") from None
    except (ValueError, LookupError, AttributeError) as error:  # PyYAML raises these for a value not of its type
        what = "holds a value that is not of its type, such as the date 2001-02-30"
        raise InputError(f"{where} {what}: {error}") from None
    return _checked(value, where)


def _checked(value: Any, where: str) -> Any:
    """`value`; raises InputError if it is endless, or holds what no record can: long integers, halves of characters."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if any(isinstance(each, int) and abs(each) >= INTEGER_BOUND for each in level):
            raise InputError(f"{where}: an integer has more than 64 bits")
        if wrong := [each for each in level if isinstance(each, str) and SURROGATE.search(each)]:
            raise InputError(f"{where}: {wrong[0]!r} is not UTF-8, or holds half of a surrogate pair")
        level = list(islice((inner for each in level for inner in _inside(each)), MAX_VALUES + 1))
        if not level:
            return value
        if len(level) > MAX_VALUES:
            break
    raise InputError(
        f"{where}: more than {MAX_VALUES} values, or over {MAX_DEPTH} levels of them; is an alias in itself?"
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
    for name in _REMOVED_BY.get(last, ()):
        values.pop(name, None)
    values[last] = value


def _with_absolute_paths(key: str, value: Any, folder: Path) -> Any:
    """`value` of `key` with every path in it, however deep, counted from `folder`."""
    if isinstance(value, dict):
        return {
            name: _with_absolute_paths(f"{key}.{name}" if key else str(name), item, folder)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_with_absolute_paths(key, item, folder) for item in value]
    if isinstance(value, str) and key == "storage":
        return storage_of(value, key, folder)
    if isinstance(value, str) and _PATH_KEY.fullmatch(key):
        return str(path_of(value, key, folder))
    return value


def _explain(error: ValidationError, source: str) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"] if not str(part).startswith(("(", "[")))
        tagged = next((model for tag, model in _TAGGED.items() if tag in problem["loc"]), None)
        if problem["type"] == "extra_forbidden":
            inside = [f"{key.rpartition('.')[0]}.{name}" for name in tagged.model_fields] if tagged else []
            lines.append(f"unknown key {key!r}: {nearest(key, inside or [name for name, _ in known_keys()])}")
        elif problem["type"] == "missing":
            lines.append(f"{key} is missing: {'give it there' if tagged else f'set it in the file or with --{key}'}")
        else:
            got = "" if problem["type"] == "secret" else f", got {problem['input']!r}"
            lines.append(f"{key}: {problem['msg'].removeprefix('Value error, ')}{got}")
    return f"{source}: " + "; ".join(lines)

"""Which files of a folder, or subsets of a dataset on the Hub, are read: those of a split, in known languages."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from slam_ray.config import InputError
from slam_ray.corpora.languages import Languages

T = TypeVar("T")

# The words for a split in the name of a file or folder, as Hugging Face's `datasets` takes them.
_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_SHARD = re.compile(r"(?P<split>\w+(?:\.\w+)*)-\d{5}-of-\d{5}\b.*")  # test-00000-of-00002.parquet


@dataclass(frozen=True)
class FoundParts(Generic[T]):
    """The files or subsets that a format finds.

    Attributes:
        parts: what is read, by the names that the format's readers know it by.
        unknown: what is left out, because its language is not known.
        splits: those that the folder has, where that is of use in a message.
    """

    parts: Mapping[str, T]
    unknown: tuple[T, ...] = ()
    splits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subsets:
    """The Hub's names of the parts of a corpus with a subset for each language.

    Attributes:
        pattern: of a name; its one group says the language.
        code: the language's code from that.
    """

    pattern: str = "(.+)"
    code: Callable[[Languages, str], str | None] = Languages.code_of

    def among(self, names: Iterable[str], languages: Languages) -> FoundParts[str]:
        """The subsets of known languages, in the order of `languages`."""
        matches = (re.fullmatch(self.pattern, name) for name in names)
        return in_order(
            by_language(((match[1], match[0]) for match in matches if match), languages, self.code), languages
        )


def named_files(folder: Path, pattern: str, languages: Languages) -> FoundParts[Path]:
    """The files of a folder whose name is `pattern`, whose one group says the language; in the order of their names."""
    matches = ((re.fullmatch(pattern, file.name), file) for file in sorted(folder.glob("*")))
    return by_language(((match[1], file) for match, file in matches if match), languages)


def by_language(
    written: Iterable[tuple[str, T]],
    languages: Languages,
    code: Callable[[Languages, str], str | None] = Languages.code_of,
) -> FoundParts[T]:
    """Files or subsets by the codes of their languages.

    Args:
        written: each with its language as its name says it.
        languages: those that are known.
        code: the language's code from that.

    Raises:
        InputError: a language is there twice.
    """
    parts: dict[str, T] = {}
    unknown = []
    for language, each in written:
        known = code(languages, language)
        if known is None:
            unknown.append(each)
        elif known in parts:
            raise InputError(
                f"{parts[known]} and {each} are both in language {known!r}; keep one of them, or give the language's"
                " script in corpora.languages"
            )
        else:
            parts[known] = each
    return FoundParts(parts, tuple(unknown))


def in_order(found: FoundParts[T], languages: Languages) -> FoundParts[T]:
    """The same with its parts in the order of `languages`."""
    return FoundParts(
        {code: found.parts[code] for code in languages if code in found.parts}, found.unknown, found.splits
    )


def same_split(one: str, other: str) -> bool:
    """Whether two words mean the same split, e.g. validation and dev."""
    return _SPLIT_WORDS.get(one.lower(), one) == _SPLIT_WORDS.get(other.lower(), other)


def split_named(file: Path) -> str | None:
    """The split that a file is named for, by itself or by its folder; None if it is named for none, or for several."""
    if shard := _SHARD.fullmatch(file.name):
        return _SPLIT_WORDS.get(shard["split"].lower(), shard["split"])
    named = {_SPLIT_WORDS[word] for word in re.split(r"[-._ 0-9]+", file.name.lower()) if word in _SPLIT_WORDS}
    if len(named) == 1:
        return named.pop()
    return None if named else _SPLIT_WORDS.get(file.parent.name.lower())


def is_of_split(file: Path, split: str) -> bool:
    """Whether a file belongs to a split: it, or its folder, is named for it."""
    named = split_named(file)
    if named is not None:
        return same_split(named, split)
    return split in (file.name.partition(".")[0], file.parent.name)


def tables_of(folder: Path, split: str | None, is_table: Callable[[Path], bool]) -> list[Path]:
    """The tables of a split, in the folder or in one inside it; or all of the folder, if no split is given.

    Raises:
        InputError: there is nothing of the split; or none is given, and the tables are of several.
    """
    above = [file for file in sorted(folder.iterdir()) if is_table(file)]
    inside = [file for file in sorted(folder.glob("*/*")) if is_table(file)]
    if split is not None:
        chosen = [file for file in (*above, *inside) if is_of_split(file, split)]
        if not chosen and (above or inside):
            raise InputError(f"{folder} holds nothing of split {split!r}; {_splits_of([*above, *inside], folder)}")
        return chosen
    named = {split_named(file) for file in above or inside} - {None}
    if len(named) > 1 or (named and not above):
        raise InputError(f"{folder}: say with `split` what to read; {_splits_of(above or inside, folder)}")
    return above


def _splits_of(files: Iterable[Path], folder: Path) -> str:
    named: dict[str, list[str]] = {}
    for file in files:
        if (split := split_named(file)) is not None:
            named.setdefault(split, []).append(str(file.relative_to(folder)))
    if not named:
        return "none of its tables is named for a split: leave `split` out, or give the path of the table"
    return "there are " + ", ".join(
        f"{split} ({names[0]}{' ...' if len(names) > 1 else ''})" for split, names in sorted(named.items())
    )

"""A dataset from the Hugging Face Hub: fetched once, a Parquet file for each part, and from then on these files.

So a branch stays at what it was then, and a run whose corpora are fetched asks nothing of the Hub.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from slam_ray.config import InputError, LanguageConfig, Section, SourceConfig, Sources
from slam_ray.corpora.formats import FORMATS, format_of
from slam_ray.corpora.formats.files import Found, Subsets
from slam_ray.corpora.languages import KNOWN, Languages
from slam_ray.pipeline.step import Attempt, Step

T = TypeVar("T")


class HubCorpus(Section):
    """What of a dataset on the Hub is fetched: one named subset, or those of the languages that are known.

    Attributes:
        languages: those that the configuration adds, where a subset is a language.
    """

    hub: str
    revision: str | None
    format: str
    subset: str | None
    split: str
    languages: tuple[LanguageConfig, ...] = Field((), exclude_if=operator.not_)


class Fetched(BaseModel):
    """What was fetched.

    Attributes:
        rows: of each part, by the name that the format knows it by.
        left_out: subsets whose languages are not known.
    """

    rows: dict[str, int]
    left_out: list[str] = []


def part_file(name: str) -> str:
    """Name of the file of a part."""
    return f"{name or 'rows'}.parquet"


def hub_sources(keys: Mapping[str, Sources | None]) -> dict[str, tuple[str, SourceConfig]]:
    """Those of the sources under `keys` of the configuration that are on the Hub, by their title, with their key.

    What is fetched alike is there once.

    Raises:
        InputError: a format is not known.
    """
    found: dict[str, tuple[str, SourceConfig]] = {}
    for key, sources in keys.items():
        for source in sources if isinstance(sources, tuple) else (sources,):
            if isinstance(source, SourceConfig) and source.hub is not None:
                format_of(source, key)
                found.setdefault(source_title(source), (key, source))
    return found


def source_title(source: SourceConfig) -> str:
    """What is fetched for a source, e.g. "fetch openai/gsm8k (gsm8k train)"."""
    details = [source.format, source.subset, source.split or FORMATS[source.format].split, source.revision]
    return f"fetch {source.hub} ({' '.join(filter(None, details))})"


def fetch_corpus_step(key: str, source: SourceConfig, languages: Languages = KNOWN) -> Step[Fetched]:
    """Fetch a source on the Hub.

    Raises:
        InputError: (here) its format is not on the Hub; (in its run) there is no such dataset, subset or split, or no
            access or network.
    """
    assert source.hub is not None
    format_ = FORMATS[source.format]
    if not format_.own and not format_.subsets:
        raise InputError(f"{key}: format {source.format} is not on the Hub; give the path of its files")
    by_language = isinstance(format_.subsets, Subsets)
    wanted = HubCorpus(
        hub=source.hub,
        revision=source.revision,
        format=source.format,
        subset=source.subset,
        split=source.split or format_.split,
        languages=languages.added if by_language else (),
    )

    def run(attempt: Attempt) -> Fetched:
        subsets = _subsets(key, wanted, languages)
        rows = {}
        for name, subset in subsets.parts.items():
            rows[name] = _save(key, wanted, subset, str(attempt.directory / part_file(name)))
        return Fetched(rows=rows, left_out=list(subsets.unknown))

    return Step("fetch-corpus", 1, wanted, {}, Fetched, run)


def _subsets(key: str, wanted: HubCorpus, languages: Languages) -> Found[Any]:
    from datasets import get_dataset_config_names

    format_ = FORMATS[wanted.format]
    if format_.own:
        return Found({"": wanted.subset})
    if not isinstance(format_.subsets, Subsets) and not any(format_.subsets.values()):
        return Found(format_.subsets)
    there = _from_hub(key, wanted.hub, lambda: list(get_dataset_config_names(wanted.hub, revision=wanted.revision)))
    found: Found[Any]
    if isinstance(format_.subsets, Subsets):
        found = _among(there, format_.subsets, languages, key)
    else:
        found = Found({name: subset for name, subset in format_.subsets.items() if subset in there})
    if not found.parts:
        raise InputError(
            f"{key}: {wanted.hub} has no subset that format {wanted.format} knows; it has {' '.join(there)}"
        )
    return found


def _among(names: Sequence[str], subsets: Subsets, languages: Languages, key: str) -> Found[str]:
    try:
        return subsets.among(names, languages)
    except InputError as error:
        raise InputError(f"{key}: {error}") from None


def _save(key: str, wanted: HubCorpus, subset: str | None, file: str) -> int:
    from datasets import load_dataset

    what = f"{wanted.hub} ({' '.join(filter(None, (subset, wanted.split)))})"
    rows = _from_hub(key, what, lambda: load_dataset(wanted.hub, subset, split=wanted.split, revision=wanted.revision))
    rows.to_parquet(file)
    return len(rows)


def _from_hub(key: str, what: str, fetch: Callable[[], T]) -> T:
    try:
        return fetch()
    # What `datasets` raises for: no such dataset, no access, no network; no such subset or split; a loading script.
    except (OSError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{key}: cannot fetch {what} from the Hugging Face Hub: {said}") from None

"""A dataset from the Hugging Face Hub: fetched once, a Parquet file for each part, and from then on these files.

So a branch stays at what it was then, and a run whose corpora are fetched asks nothing of the Hub.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import BaseModel

from slam_ray.config import InputError, Section, SourceConfig, Sources
from slam_ray.corpora.formats import FORMATS, format_of
from slam_ray.pipeline.step import Attempt, Step

T = TypeVar("T")


class HubCorpus(Section):
    """What of a dataset on the Hub is fetched: one named subset, or those that the format knows."""

    hub: str
    revision: str | None
    format: str
    subset: str | None
    split: str


class Fetched(BaseModel):
    """Rows of each part, by the name that the format knows it by."""

    rows: dict[str, int]


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


def fetch_corpus_step(key: str, source: SourceConfig) -> Step[Fetched]:
    """Fetch a source on the Hub.

    Raises:
        InputError: (here) its format is not on the Hub; (in its run) there is no such dataset, subset or split, or no
            access or network.
    """
    assert source.hub is not None
    format_ = FORMATS[source.format]
    if not format_.own and not format_.subsets:
        raise InputError(f"{key}: format {source.format} is not on the Hub; give the path of its files")
    wanted = HubCorpus(
        hub=source.hub,
        revision=source.revision,
        format=source.format,
        subset=source.subset,
        split=source.split or format_.split,
    )

    def run(attempt: Attempt) -> Fetched:
        rows = {}
        for name, subset in _subsets(key, wanted).items():
            rows[name] = _save(key, wanted, subset, str(attempt.directory / part_file(name)))
        return Fetched(rows=rows)

    return Step("fetch-corpus", 1, wanted, {}, Fetched, run)


def _subsets(key: str, wanted: HubCorpus) -> dict[str, str | None]:
    from datasets import get_dataset_config_names

    format_ = FORMATS[wanted.format]
    if format_.own:
        return {"": wanted.subset}
    if not any(format_.subsets.values()):
        return dict(format_.subsets)
    there = _from_hub(key, wanted.hub, lambda: list(get_dataset_config_names(wanted.hub, revision=wanted.revision)))
    subsets = {name: subset for name, subset in format_.subsets.items() if subset in there}
    if not subsets:
        raise InputError(
            f"{key}: {wanted.hub} has no subset that format {wanted.format} knows; it has {' '.join(there)}"
        )
    return subsets


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

"""A dataset from the Hugging Face Hub: fetched once, a Parquet file for each part, and from then on these files.

So a branch stays at what it was then, and a run whose corpora are fetched asks nothing of the Hub.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeAlias, TypeVar

from pydantic import BaseModel, Field

from slam_ray.config import CorporaConfig, InputError, LanguageConfig, Section, SourceConfig, Sources
from slam_ray.corpora.formats import FORMATS, format_of
from slam_ray.corpora.formats.files import FoundParts, Subsets
from slam_ray.corpora.languages import Languages
from slam_ray.store.step import Attempt, Step

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

    @classmethod
    def of(cls, source: SourceConfig, languages: Languages) -> Self:
        """What is fetched for a source that is on the Hub, in a format that is known."""
        assert source.hub is not None
        format_ = FORMATS[source.format]
        return cls(
            hub=source.hub,
            revision=source.revision,
            format=source.format,
            subset=source.subset,
            split=source.split or format_.split,
            languages=languages.added if isinstance(format_.subsets, Subsets) else (),
        )

    @property
    def label(self) -> str:
        """What people are told of it, e.g. "fetch openai/gsm8k (gsm8k train)"."""
        return f"fetch {self.hub} ({_words(self.format, self.subset, self.split, self.revision)})"


class FetchedCorpus(BaseModel):
    """What was fetched.

    Attributes:
        rows: of each part, by the name that the format knows it by.
        left_out: subsets whose languages are not known.
    """

    rows: dict[str, int]
    left_out: list[str] = []


# The steps that fetch datasets, by what they fetch.
FetchSteps: TypeAlias = Mapping[HubCorpus, Step[FetchedCorpus]]


def part_file(name: str) -> str:
    """Name of the file of a part."""
    return f"{name or 'rows'}.parquet"


def fetch_corpora_steps(
    corpora: CorporaConfig, problems: Sources | None = None
) -> dict[HubCorpus, Step[FetchedCorpus]]:
    """A step for each different dataset on the Hub that the configuration names.

    Args:
        corpora: the configuration.
        problems: further sources, those of `search.problems`.

    Raises:
        InputError: (here) a format is not known, or not on the Hub; (in a run) there is no such dataset, subset or
            split, or no access or network.
    """
    languages = Languages.of(corpora)
    sources = {"corpora.questions": corpora.questions, "corpora.pairs": corpora.pairs}
    sources |= {"corpora.english": corpora.english, "search.problems": problems}
    sources |= {f"corpora.benchmarks.{name}": each for name, each in corpora.benchmarks.items()}
    steps: dict[HubCorpus, Step[FetchedCorpus]] = {}
    for key, given in sources.items():
        for source in given if isinstance(given, tuple) else (given,):
            if isinstance(source, SourceConfig) and source.hub is not None:
                format_ = format_of(source, key)
                if not format_.user_records and not format_.subsets:
                    raise InputError(f"{key}: format {source.format} is not on the Hub; give the path of its files")
                corpus = HubCorpus.of(source, languages)
                steps.setdefault(corpus, _fetch_step(key, corpus, languages))
    return steps


def _fetch_step(key: str, corpus: HubCorpus, languages: Languages) -> Step[FetchedCorpus]:
    def run(attempt: Attempt) -> FetchedCorpus:
        subsets = _subsets(key, corpus, languages)
        rows = {}
        for name, subset in subsets.parts.items():
            rows[name] = _save(key, corpus, subset, str(attempt.directory / part_file(name)))
        return FetchedCorpus(rows=rows, left_out=list(subsets.unknown))

    return Step("fetch-corpus", 1, corpus, {}, FetchedCorpus, run, fetches=True, label=corpus.label)


def _subsets(key: str, corpus: HubCorpus, languages: Languages) -> FoundParts[Any]:
    from datasets import get_dataset_config_names

    format_ = FORMATS[corpus.format]
    if format_.user_records:
        return FoundParts({"": corpus.subset})
    if not isinstance(format_.subsets, Subsets) and not any(format_.subsets.values()):
        return FoundParts(format_.subsets)
    names = _from_hub(key, corpus.hub, lambda: list(get_dataset_config_names(corpus.hub, revision=corpus.revision)))
    found: FoundParts[Any]
    if isinstance(format_.subsets, Subsets):
        found = _among(names, format_.subsets, languages, key)
    else:
        found = FoundParts({name: subset for name, subset in format_.subsets.items() if subset in names})
    if not found.parts:
        raise InputError(
            f"{key}: {corpus.hub} has no subset that format {corpus.format} knows; it has {' '.join(names)}"
        )
    return found


def _among(names: Sequence[str], subsets: Subsets, languages: Languages, key: str) -> FoundParts[str]:
    try:
        return subsets.among(names, languages)
    except InputError as error:
        raise InputError(f"{key}: {error}") from None


def _save(key: str, corpus: HubCorpus, subset: str | None, file: str) -> int:
    from datasets import load_dataset

    what = f"{corpus.hub} ({_words(subset, corpus.split)})"
    rows = _from_hub(key, what, lambda: load_dataset(corpus.hub, subset, split=corpus.split, revision=corpus.revision))
    rows.to_parquet(file)
    return len(rows)


def _words(*words: str | None) -> str:
    return " ".join(filter(None, words))


def _from_hub(key: str, what: str, fetch: Callable[[], T]) -> T:
    try:
        return fetch()
    # What `datasets` raises for: no such dataset, no access, no network; no such subset or split; a loading script.
    except (OSError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{key}: cannot fetch {what} from the Hugging Face Hub: {said}") from None

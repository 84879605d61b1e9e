"""The layouts that corpora come in, by the name that the configuration gives them (`format`).

A new one is a module like the others here, with its files (or subsets on the Hub) and its readers, and a line below.
"""

from slam_ray.config import InputError, SourceConfig, nearest
from slam_ray.corpora.formats import gsm8k, mgsm, mgsm8kinstruct, msvamp, parallel, qalign, records, xcsqa
from slam_ray.corpora.formats.layout import Format

FORMATS = {
    "records": records.FORMAT,
    "gsm8k": gsm8k.FORMAT,
    "mgsm": mgsm.FORMAT,
    "mgsm8kinstruct": mgsm8kinstruct.FORMAT,
    "msvamp": msvamp.FORMAT,
    "parallel": parallel.FORMAT,
    "qalign": qalign.FORMAT,
    "xcsqa": xcsqa.FORMAT,
}


def format_of(source: SourceConfig, key: str) -> Format:
    """The layout of a source; InputError if it is not known."""
    if source.format not in FORMATS:
        raise InputError(f"{key}.format: unknown format {source.format!r}: {nearest(source.format, FORMATS)}")
    return FORMATS[source.format]

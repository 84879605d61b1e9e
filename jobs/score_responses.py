"""Score responses that exist already, in one language: accuracy in percent with its 95 % Wilson interval.

Each row of the file holds a response and its gold answer. The last line printed is one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from slam_ray.config import job, path_of
from slam_ray.corpora.languages import KNOWN
from slam_ray.evaluation.extraction import NUMBER_EXTRACTORS, extract, is_correct
from slam_ray.evaluation.response_files import read_answered
from slam_ray.evaluation.statistics import wilson


@job
def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("jobs/score_responses.py", description=__doc__)
    parser.add_argument("file", metavar="FILE", help="JSON Lines or array, CSV or TSV, each also as .gz; Parquet")
    parser.add_argument("--language", required=True, help="ISO code of the questions' language")
    parser.add_argument(
        "--extractor",
        choices=NUMBER_EXTRACTORS,
        default=NUMBER_EXTRACTORS[0],
        help="how the answer is found in a response [%(default)s]",
    )
    parser.add_argument(
        "--response-key", default="response", metavar="KEY", help="dots reach inside: resps.0.0 [%(default)s]"
    )
    parser.add_argument("--answer-key", default="answer", metavar="KEY", help="[%(default)s]")
    given = parser.parse_args(argv)
    KNOWN.check_code(given.language, "--language")
    if given.language not in KNOWN and given.extractor == "strict":
        print(f"language {given.language!r} is not known: looking for answers announced in English", file=sys.stderr)
    rows = read_answered(path_of(given.file, "FILE"), given.response_key, given.answer_key, given.language)
    found = [extract(row.response, given.language, given.extractor) for row in rows]
    correct = sum(is_correct(number, row.answer) for number, row in zip(found, rows, strict=True))
    result = {
        "accuracy": 100 * correct / len(rows),
        "n": len(rows),
        "interval": [100 * end for end in wilson(correct, len(rows))],
        "correct": correct,
        "without_number": found.count(None),
        "language": given.language,
        "extractor": given.extractor,
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

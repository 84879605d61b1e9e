"""Score responses that exist already, in one language: accuracy in percent with its 95 % Wilson interval.

Each row of the file holds a response and its gold answer. The last line printed is one JSON object.
"""

import json
import sys
from collections.abc import Sequence

from slam_ray.cli.arguments import Parser
from slam_ray.config import path_of


def main(argv: Sequence[str]) -> int:
    """Print the accuracy of the file's responses."""
    from slam_ray.corpora.languages import KNOWN
    from slam_ray.evaluation.extraction import NUMBER_EXTRACTORS, extract, is_correct
    from slam_ray.evaluation.response_files import read_answered
    from slam_ray.evaluation.statistics import wilson

    parser = Parser("slam-ray score", __doc__)
    parser.add_argument("file", metavar="FILE", help="JSON Lines or array, CSV or TSV, each also as .gz; Parquet")
    parser.add_argument("--language", required=True, help="ISO code of the questions' language")
    how = "how the answer is found in a response [%(default)s]"
    parser.add_argument("--extractor", choices=NUMBER_EXTRACTORS, default=NUMBER_EXTRACTORS[0], help=how)
    inside = "dots reach inside: resps.0.0 [%(default)s]"
    parser.add_argument("--response-key", default="response", metavar="KEY", help=inside)
    parser.add_argument("--answer-key", default="answer", metavar="KEY", help="[%(default)s]")
    given = parser.parse_args(argv)
    KNOWN.check_code(given.language, "--language")
    if given.language not in KNOWN and given.extractor == "strict":
        print(f"language {given.language!r} is not known: looking for answers announced in English", file=sys.stderr)
    rows = read_answered(path_of(given.file, "FILE"), given.response_key, given.answer_key, given.language)
    answers = [extract(row.response, given.language, given.extractor) for row in rows]
    correct = sum(is_correct(answer, row.answer) for answer, row in zip(answers, rows, strict=True))
    result = {
        "accuracy": 100 * correct / len(rows),
        "n": len(rows),
        "interval": [100 * end for end in wilson(correct, len(rows))],
        "correct": correct,
        "without_number": answers.count(None),
        "language": given.language,
        "extractor": given.extractor,
    }
    print(json.dumps(result))
    return 0

"""Scores, PCR and comparison on small cases worked out by hand; responses that survive a killed attempt."""

import hashlib
import json
from pathlib import Path

import pytest

from slam_ray.config import InputError
from slam_ray.corpora import Problem, Question
from slam_ray.evaluation.accuracy import pcr
from slam_ray.evaluation.comparison import COMPARE_VERSION, CompareConfig, compare
from slam_ray.evaluation.engine import Request
from slam_ray.evaluation.generation import check_lengths
from slam_ray.evaluation.pool import balanced
from slam_ray.evaluation.responses import Finish, FinishedResponses, Response
from slam_ray.evaluation.scoring import MARKS_FILE, SCORE_VERSION, read_marks, score_responses, write_marks
from slam_ray.models.context_length import context_length
from slam_ray.models.reference import ModelRef
from slam_ray.store.local import LocalLocation
from tests.artifacts import artifact_of


def row(id_: str, language: str, text: str, finish: Finish = "stop") -> Response:
    return Response(id_, language, "prompt", text, finish, 3)


PROBLEMS = [
    Problem("a", "en", "?", 18), Problem("b", "en", "?", -10), Problem("c", "en", "?", 0), Problem("d", "en", "?", 2.5),
    Problem("a", "de", "?", 18), Problem("b", "de", "?", -10), Problem("c", "de", "?", 0), Problem("d", "de", "?", 2.5),
]  # fmt: skip
RESPONSES = [
    row("a", "en", "9 + 9 = 18. The answer is 18."),
    row("b", "en", "The answer is -10."),
    row("c", "en", "I do not know.", "length"),
    row("d", "en", "The answer is 2.5."),
    row("a", "de", "Die Antwort ist 18. Sie hat 3 Hunde."),
    row("b", "de", "Die Antwort lautet −10."),
    row("c", "de", "Die Antwort ist 0."),
    row("d", "de", "Es sind 2,5 kg.", "length"),
]


def test_scores_by_both_extractors() -> None:
    scores, marks = score_responses(PROBLEMS, RESPONSES)
    last, strict = scores.extractors["last-number"], scores.extractors["strict"]
    assert scores.headline is last
    assert {code: item.accuracy for code, item in last.languages.items()} == {"en": 50, "de": 25}
    assert {code: item.accuracy for code, item in strict.languages.items()} == {"en": 75, "de": 100}
    assert (last.avg, last.avg_non_en, strict.avg_non_en) == (37.5, 25, 100)
    assert scores.cut == {"en": 25, "de": 25}
    assert {code: item.unanswered for code, item in last.languages.items()} == {"en": 25, "de": 0}
    assert last.languages["de"].pcr == 0
    assert strict.languages["de"].pcr == 100
    assert strict.languages["en"].pcr == 100
    assert all(item.n == 4 and item.low < item.accuracy <= item.high for item in strict.languages.values())
    assert [mark.found for mark in marks if mark.id == "c" and mark.language == "en"] == [None, None]


def test_scores_without_english_have_no_pcr() -> None:
    problems, responses = PROBLEMS[4:], RESPONSES[4:]
    scores, _ = score_responses(problems, responses)
    assert scores.headline.languages["de"].pcr is None
    assert scores.headline.avg == scores.headline.avg_non_en
    english, _ = score_responses(PROBLEMS[:4], RESPONSES[:4])
    assert english.headline.avg_non_en is None


def test_scores_need_one_response_a_problem() -> None:
    with pytest.raises(AssertionError):
        score_responses(PROBLEMS, RESPONSES[:-1])
    with pytest.raises(AssertionError):
        score_responses(PROBLEMS, [*RESPONSES[:-1], RESPONSES[0]])


def test_pcr_is_over_ids_in_both_languages() -> None:
    english = {"a": True, "b": True, "c": False, "d": True}
    assert pcr(english, {"a": True, "b": False, "c": True}) == 50
    assert pcr({"a": False}, {"a": True}) is None


def test_comparison_of_two_models() -> None:
    _, before = score_responses(PROBLEMS, RESPONSES)
    better = [*RESPONSES[:4], row("a", "de", "Die Antwort ist 18."), *RESPONSES[5:]]
    _, after = score_responses(PROBLEMS, better)
    change = compare(before, after, ("en", "de"), CompareConfig(samples=200)).extractors
    german = change["last-number"].languages["de"]
    assert (german.difference, german.gained, german.lost, german.p, german.p_holm) == (25, 1, 0, 1, 1)
    assert change["last-number"].languages["en"].difference == 0
    assert change["last-number"].avg.difference == 12.5
    non_english = change["last-number"].avg_non_en
    assert non_english is not None
    assert non_english.low <= non_english.difference == 25 <= non_english.high
    assert change["strict"].languages["de"].gained == 0


def digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def test_score_is_what_it_was() -> None:
    scores, marks = score_responses(PROBLEMS, RESPONSES)
    expected = {3: "63b7af80dde8994c"}
    assert digest(scores.model_dump_json(), *marks) == expected.get(SCORE_VERSION), (
        "score gives another result for the same responses: raise SCORE_VERSION in slam_ray/evaluation/scoring.py"
        " and put the new digest here, so that no artifact of the old kind is taken for one of the new"
    )


def test_compare_is_what_it_was() -> None:
    _, before = score_responses(PROBLEMS, RESPONSES)
    _, after = score_responses(PROBLEMS, [*RESPONSES[:2], row("c", "en", "0"), *RESPONSES[3:]])
    comparison = compare(before, after, ("en", "de"), CompareConfig(samples=1000))
    expected = {2: "66865598dc76ba24"}
    assert digest(comparison.model_dump_json()) == expected.get(COMPARE_VERSION), (
        "compare gives another result for the same marks: raise COMPARE_VERSION in slam_ray/evaluation/comparison.py"
        " and put the new digest here, so that no artifact of the old kind is taken for one of the new"
    )


def test_finished_responses_survive_and_torn_ones_do_not(tmp_path: Path) -> None:
    folder = LocalLocation(tmp_path / "scratch")
    assert list(FinishedResponses(folder, "one").of_earlier_attempts()) == []
    FinishedResponses(folder, "one").add([row("a", "th", "คำตอบคือ 5\nครับ"), row("b", "th", "6")])
    (folder / ".one-2.jsonl.draft").write_bytes('{"id": "c", "language": "th", "response": "คำ'.encode()[:-1])
    kept = FinishedResponses(folder, "two")
    assert [item.id for item in kept.of_earlier_attempts()] == ["a", "b"]
    kept.add([row("c", "th", "7")])
    assert list(FinishedResponses(folder, "three").of_earlier_attempts()) == [
        row("a", "th", "คำตอบคือ 5\nครับ"),
        row("b", "th", "6"),
        row("c", "th", "7"),
    ]


@pytest.mark.parametrize(
    ("most", "fits", "said"),
    [
        (
            None,
            36,
            "do not fit the model's own context of 100 tokens (max_position_embeddings); lower evaluation.max_new_",
        ),
        (
            90,
            26,
            "do not fit execution.max_context 90; raise that (the model itself takes 100: max_position_embeddings) or",
        ),
        (200, 36, "do not fit the model's own context of 100 tokens (max_position_embeddings); lower"),
    ],
)
def test_a_prompt_too_long_names_its_problem_and_whose_limit_it_is(
    most: int | None, fits: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 100}))
    context = context_length(ModelRef(tmp_path, ()), most)
    problems = [Question("short", "en", "?"), Question("long", "sw", "?")]
    check_lengths(problems, [10, fits], 64, context)
    with pytest.raises(InputError) as caught:
        check_lengths(problems, [10, fits + 1], 64, context)
    assert f"problem 'long' (sw): its prompt of {fits + 1} tokens and 64 new ones {said}" in str(caught.value)


def test_only_the_labels_of_its_choices_answer_a_problem() -> None:
    problem = Problem("a", "en", "Where are books lent?\n(A) bank\n(B) library", "B")
    for response, found in (("Answer: B library", "B"), ("(B), where it is 20 degrees (C).", "B"), ("It is C.", None)):
        scores, (last, first) = score_responses([problem], [row("a", "en", response)])
        assert last.found == first.found == found
        assert scores.headline.languages["en"].unanswered == (100 if found is None else 0)


def test_labels_are_scored_and_compared_like_numbers(tmp_path: Path) -> None:
    problems = [Problem(id_, code, "?", label) for code in ("en", "sw") for id_, label in (("a", "A"), ("b", "B"))]
    answers = ["(A)", "(A) is wrong, (B) is right", "Jibu ni (A)", "(C)"]
    responses = [row(item.id, item.language, text) for item, text in zip(problems, answers, strict=True)]
    scores, marks = score_responses(problems, responses)
    assert scores.names == ("last-label", "first-label")
    assert {code: item.accuracy for code, item in scores.headline.languages.items()} == {"en": 100, "sw": 50}
    assert {code: item.pcr for code, item in scores.headline.languages.items()} == {"en": 100, "sw": 50}
    assert scores.extractors["first-label"].languages["en"].accuracy == 50
    assert scores.written["en"] == {"unclear": 50, "en": 50}
    first, _ = score_responses(problems, responses, "first")
    assert first.names == ("first-label", "last-label")
    write_marks(tmp_path / MARKS_FILE, marks)
    assert read_marks(artifact_of(tmp_path)) == marks
    _, better = score_responses(problems, [*responses[:3], row("b", "sw", "(B)")])
    change = compare(marks, better, ("en", "sw"), CompareConfig(samples=100)).extractors
    assert list(change) == ["last-label", "first-label"]
    assert (change["last-label"].languages["sw"].gained, change["last-label"].languages["sw"].difference) == (1, 50)


def test_engines_get_like_shares_of_the_work() -> None:
    # The same questions in every language, the second of each two much longer.
    asked = [Request(key, (0,) * tokens, 8) for key, tokens in enumerate([10, 90, 12, 88, 14, 86] * 4)]
    order = balanced(asked, 2)
    assert sorted(request.key for request in order) == list(range(24))
    assert [sum(len(request.prompt) for request in order[first : first + 12]) for first in (0, 12)] == [600, 600]
    assert sorted(request.key for request in balanced(asked[:7], 3)) == list(range(7))

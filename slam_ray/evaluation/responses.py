"""A model's responses, one a problem: in JSON Lines while they are generated, in parquet when they are complete."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from slam_ray.store.artifact import Artifact
from slam_ray.store.location import Location

RESPONSES_FILE = "responses.parquet"
Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Response:
    """A model's answer to one problem.

    Attributes:
        id: of the problem.
        language: of the problem.
        prompt: the whole text that the model continued.
        response: its continuation.
        finish: "stop" if the model ended it, "length" if it was cut at the token limit.
        tokens: number of new tokens, the end token included.
    """

    id: str
    language: str
    prompt: str
    response: str
    finish: Finish
    tokens: int


class GenerateResult(BaseModel):
    """What was generated: responses by language, new tokens in all, and how many responses were cut at the limit."""

    responses: dict[str, int]
    tokens: int
    cut: int


def write_responses(file: Path, responses: Iterable[Response]) -> None:
    """Write responses as parquet, sorted by language and id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = sorted(responses, key=lambda response: (response.language, response.id))
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows]), file)


def read_responses(artifact: Artifact[GenerateResult]) -> list[Response]:
    """The responses of a generate artifact."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(artifact.file(RESPONSES_FILE)).to_pylist()
    return [Response(**row) for row in rows]


def read_answers(artifact: Artifact[GenerateResult]) -> dict[tuple[str, str], str]:
    """The texts of a generate artifact's responses by language and id of their questions."""
    return {(response.language, response.id): response.response for response in read_responses(artifact)}


class FinishedResponses:
    """Responses kept as they finish, where they outlive a killed attempt; every batch is written to a new file."""

    def __init__(self, folder: Location, attempt: str) -> None:
        self._folder, self._attempt = folder, attempt
        self._batches = 0

    def of_earlier_attempts(self) -> Iterator[Response]:
        """All responses that earlier attempts finished."""
        for name in sorted(self._folder.files()):
            if name.endswith(".jsonl"):
                for line in (self._folder / name).read_bytes().splitlines():
                    yield Response(**json.loads(line))

    def add(self, responses: Iterable[Response]) -> None:
        """Keep finished responses."""
        lines = "".join(json.dumps(asdict(response), ensure_ascii=False) + "\n" for response in responses)
        self._batches += 1
        (self._folder / f"{self._attempt}-{self._batches}.jsonl").write_bytes(lines.encode("utf-8"))

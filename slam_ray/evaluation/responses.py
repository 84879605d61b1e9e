"""What a model said: one response a problem, in parquet once all are there, in JSON Lines while they come in."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from slam_ray.pipeline.step import Artifact

RESPONSES_FILE = "responses.parquet"
Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Response:
    """A model's answer to one problem.

    Attributes:
        id: of the problem.
        language: of the problem.
        prompt: the whole text the model continued.
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


class FinishedRows:
    """Responses kept as they finish, in a folder that outlives a killed attempt; each attempt adds its own file."""

    def __init__(self, folder: Path, attempt: str) -> None:
        self._folder = folder
        self._file = folder / f"{attempt}.jsonl"

    def earlier(self) -> Iterator[Response]:
        """What earlier attempts finished. The line that a killed one was writing has no end, and is left out."""
        for file in sorted(self._folder.glob("*.jsonl")):
            for line in file.read_bytes().split(b"\n")[:-1]:
                yield Response(**json.loads(line))

    def add(self, responses: Iterable[Response]) -> None:
        """Keep finished responses."""
        lines = "".join(json.dumps(asdict(response), ensure_ascii=False) + "\n" for response in responses)
        with self._file.open("ab") as stream:
            stream.write(lines.encode("utf-8"))

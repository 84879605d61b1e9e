"""Thousands of broken configurations and data files: each ends in one message of ours and exit code 2, no traceback."""

from pathlib import Path

import pytest

from tests.broken import throw_configurations, throw_data_files, valid_inputs

LEAST = 1000  # of each kind must have been refused
EXAMPLES = 1800


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return valid_inputs(tmp_path_factory.mktemp("valid"))


def test_broken_configurations(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally = throw_configurations(EXAMPLES, folder, tmp_path, capsys)
    print(f"configurations: {tally}")
    assert tally.refused >= LEAST


def test_broken_data_files(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally = throw_data_files(EXAMPLES, folder, tmp_path, capsys)
    print(f"data files: {tally}")
    assert tally.refused >= LEAST

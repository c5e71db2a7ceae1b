"""Recorded traffic of real providers, which the repository has not."""

import json
import os
from pathlib import Path

import pytest

_FOLDER = os.environ.get("TOKENWIRE_RECORDINGS", "")

NEEDED = pytest.mark.skipif(
    not _FOLDER, reason="TOKENWIRE_RECORDINGS does not name the folder with recorded provider traffic"
)

Row = dict[str, object]


def rows_of(provider: str, what: str = "chat") -> list[Row]:
    lines = Path(_FOLDER, f"{provider}-{what}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def is_whole(row: Row) -> bool:
    """Whether the answer is no stream."""
    asked = row["request"]
    return isinstance(asked, dict) and not asked.get("stream")

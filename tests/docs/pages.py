"""The documentation as data: fenced blocks, and the parts that are made from code."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.rpc.code_pb2 import Code

from tokenwire.v1.errors_pb2 import ErrorReason
from tokenwire_server.errors import TABLE, Retry
from tokenwire_server.simulator import MARKERS, NOT_SIMULATED

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_RETRY = {
    Retry.SILENT: "",
    Retry.AFTER: "RetryInfo, the same pushback",
    Retry.INFO: "RetryInfo",
    Retry.NEVER: "pushback -1",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its info string, such as `sh` or `sh fails`, and its text."""

    page: str
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.strip().splitlines()[0][:60]}"


def blocks() -> list[Block]:
    """All fenced blocks, in order."""
    return [
        Block(str(page.relative_to(ROOT)), *match.groups())
        for page in PAGES
        for match in _FENCE.finditer(page.read_text())
    ]


def variables(text: str) -> dict[str, str]:
    """Values for the variables that a settings snippet names."""
    return dict.fromkeys(re.findall(r"env:(\w+)", text), "sk-documented")


def made_from_code() -> Mapping[str, str]:
    """Name of each such part → what must stand between its markers."""
    return {
        "errors": _error_table(),
        "markers": "".join(f"- `{marker}`: {text}\n" for marker, text in MARKERS.items()),
        "not-simulated": "".join(f"- {name}: {text}\n" for name, text in NOT_SIMULATED.items()),
    }


def _error_table() -> str:
    rows = ["| status | reason | number | retry |\n|---|---|---|---|\n"]
    for reason, row in TABLE.items():
        name, code = ErrorReason.Name(reason), Code.Name(row.code)
        rows.append(f"| {code} | {name} | {reason} | {_RETRY[row.retry]} |\n")
    return "".join(rows)

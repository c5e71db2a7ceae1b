"""The documentation as data: fenced blocks, and the parts that are made from code."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from faults.matrix import table as fault_matrix
from google.rpc.code_pb2 import Code
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from docs import settings_table
from tokenwire.v1.errors_pb2 import ErrorReason
from tokenwire_server.cli import app
from tokenwire_server.errors import TABLE, Retry
from tokenwire_server.providers import mistral, openai_chat, openai_responses
from tokenwire_server.simulator import MARKERS, NOT_SIMULATED

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
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
        "cli": "".join(_help(name) for name in _commands("tokenwire", get_command(app))),
        "errors": _error_table(),
        "lacks": _lacks_table(),
        "markers": "".join(f"- `{marker}`: {text}\n" for marker, text in MARKERS.items()),
        "matrix": fault_matrix.table(),
        "not-simulated": "".join(f"- {name}: {text}\n" for name, text in NOT_SIMULATED.items()),
        "plain-variables": settings_table.plain_variables(),
        "settings": settings_table.keys(),
        "settings-of-kinds": settings_table.keys_of_kinds(),
    }


def _commands(name: str, command: object) -> Iterator[str]:
    """Every command as it is typed, those of a group after it."""
    yield name
    if isinstance(command, TyperGroup):
        for inner, subcommand in command.commands.items():
            if not subcommand.hidden:
                yield from _commands(f"{name} {inner}", subcommand)


def _help(command: str) -> str:
    """A command's own help."""
    arguments = [*command.split()[1:], "--help"]
    done = CliRunner().invoke(app, arguments, prog_name="tokenwire", terminal_width=100)
    assert done.exit_code == 0
    shown = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
    return f"## {command}\n\n```text\n{shown}\n```\n\n"


def _lacks_table() -> str:
    """What each API of a provider has no place for."""
    apis = {
        "OpenAI, Chat Completions": openai_chat.CODEC,
        "OpenAI, Responses": openai_responses.CODEC,
        "Mistral": mistral.CODEC,
        "compatible, Chat Completions": openai_chat.COMPATIBLE,
    }
    paths = sorted({path for codec in apis.values() for path in codec.lacks})
    rows = [f"| | {' | '.join(apis)} |\n|{'---|' * (len(apis) + 1)}\n"]
    for path in paths:
        cells = ("no" if path in codec.lacks else "yes" for codec in apis.values())
        rows.append(f"| `{path}` | {' | '.join(cells)} |\n")
    return "".join(rows)


def _error_table() -> str:
    rows = ["| status | reason | number | retry |\n|---|---|---|---|\n"]
    for reason, row in TABLE.items():
        name, code = ErrorReason.Name(reason), Code.Name(row.code)
        rows.append(f"| {code} | {name} | {reason} | {_RETRY[row.retry]} |\n")
    return "".join(rows)

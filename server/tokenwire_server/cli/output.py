"""What commands print: answers to standard output; notes and errors to standard error.

Colours obey NO_COLOR; what is piped is plain.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import typer
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console
from rich.text import Text

from tokenwire.v1 import common_pb2

FAILED: Final = 1
"""Exit code: the call failed."""
UNUSABLE: Final = 2
"""Exit code: the command cannot do it as given."""
INTERRUPTED: Final = 130
"""Exit code: Ctrl-C."""


_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def write(text: str) -> None:
    """Shows part of an answer at once. A terminal gets no control characters: a model must not steer it."""
    sys.stdout.write(_harmless(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def write_json(message: Message) -> None:
    """Shows a whole message."""
    write(f"{MessageToJson(message, ensure_ascii=False)}\n")


def write_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Shows columns in a terminal; elsewhere one row a line with tabs, without the head."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(row))
        return
    from rich.table import Table  # noqa: PLC0415 (loaded by the command that needs it)

    table = Table(*head, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_harmless(cell)) for cell in row))
    Console().print(table)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows in a terminal that something takes its time."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(Text(what)):
        yield


def warn_of(warnings: Iterable[common_pb2.CallWarning]) -> None:
    """Notes what a reply warns of."""
    for warning in warnings:
        note(": ".join(filter(None, ("warning", warning.field, warning.text))))


def note(text: str) -> None:
    """Says something beside the answer."""
    Console(stderr=True, soft_wrap=True).print(Text(_harmless(text)))


def fail(text: str, code: int) -> NoReturn:
    """Ends the command with an error."""
    Console(stderr=True, soft_wrap=True).print(Text("error: ", "bold red") + Text(_harmless(text)))
    raise typer.Exit(code)


def _harmless(text: str) -> str:
    """Without control characters, but for line breaks and tabs."""
    return _CONTROL.sub("", text)

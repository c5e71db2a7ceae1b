"""`tokenwire token`: tokens of callers, made here and kept nowhere."""

import os
import sys
from typing import Annotated, Final

import typer

from tokenwire_server.cli.output import UNUSABLE, fail, note

app: Final = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def token() -> None:
    """Only what stands before a command."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The caller's name, as logs and metrics will show it.")],
    *,
    only_hash: Annotated[
        bool, typer.Option("--hash", help="Read a token from standard input; print its line alone.")
    ] = False,
) -> None:
    """Make a token for a caller; prints it, and the line for [auth.tokens].

    The token is kept nowhere: this is the only time that it is shown.
    """
    from tokenwire_server import auth  # noqa: PLC0415 (loaded by the command that needs it)

    if not auth.is_name(name):
        fail("a caller's name is 1 to 64 of A-Z, a-z, 0-9, _ and -, and does not begin with tw_", UNUSABLE)
    made = _given() if only_hash else auth.new_token()
    if not only_hash:
        typer.echo(made)
    typer.echo(f'{name} = "{auth.hash_of(made)}"')
    if not only_hash:
        note("The first line is the token, which nothing shows again: it is for the caller alone.")
        note("The second belongs under [auth.tokens] in tokenwire.toml; docs/authentication.md has the rest.")


def _given() -> str:
    from tokenwire_server import auth  # noqa: PLC0415 (loaded by the command that needs it)

    if sys.stdin.isatty():
        fail("no token: pipe it in", UNUSABLE)
    try:
        given = sys.stdin.read().strip()
    except UnicodeDecodeError:
        given = ""
    if not auth.is_token(given):
        fail("standard input is no token: a token is one word of A-Z, a-z, 0-9 and . _ ~ + / -", UNUSABLE)
    if len(given) < auth.SHORTEST:
        fail(f"the token can be guessed: it needs {auth.SHORTEST} random characters or more", UNUSABLE)
    return given


def own() -> str:
    """The token that goes with calls. A variable, as everybody on the machine sees arguments."""
    from tokenwire_server import auth  # noqa: PLC0415 (loaded by the command that needs it)

    given = os.environ.get("TOKENWIRE_TOKEN", "")
    if given and not auth.is_token(given):
        fail("TOKENWIRE_TOKEN is no token: it has a space, a line break or another odd character", UNUSABLE)
    return given

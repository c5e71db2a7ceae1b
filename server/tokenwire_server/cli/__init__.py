"""The `tokenwire` command. Each of its commands imports what it needs when it runs: a health probe must not
load SDKs or settings.

Exit codes: 0 done, 1 the call failed, 2 the command cannot do it as given, 130 interrupted.
"""

from importlib.metadata import version as installed
from typing import Annotated, Final

import typer

from tokenwire_server.cli import calls, config, serving, token

app: Final = typer.Typer(
    help="Tokenwire: one typed gRPC service in front of your model providers.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would print local variables
    rich_markup_mode=None,  # plain help, also in a pipe
)
for command in (
    serving.serve,
    serving.check,
    calls.chat,
    calls.embed,
    calls.tokens,
    calls.models,
    calls.health,
    serving.simulate,
):
    app.command()(command)
app.command(hidden=True)(serving.worker)
app.add_typer(config.app, name="config", help="The settings file.")
app.add_typer(token.app, name="token", help='Tokens of callers, for auth.mode = "token".')


def _version(wanted: bool) -> None:  # noqa: FBT001 (typer's shape)
    if wanted:
        typer.echo(f"tokenwire {installed('tokenwire')}")
        raise typer.Exit


@app.callback()
def tokenwire(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Only what stands before a command."""

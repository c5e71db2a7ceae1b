"""`tokenwire config`: what there is to set."""

from typing import Final

import typer

app: Final = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def config() -> None:
    """Only what stands before a command."""


@app.command()
def schema() -> None:
    """Print the JSON Schema of tokenwire.toml, with which editors complete and check it."""
    from tokenwire_server import settings_schema  # noqa: PLC0415 (loaded by the command that needs it)

    typer.echo(settings_schema.schema())

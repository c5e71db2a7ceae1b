"""The commands that serve, or say what would be served."""

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tokenwire_server.cli.output import UNUSABLE, fail, note

if TYPE_CHECKING:  # loading them is what the commands put off
    from tokenwire_server.settings import Settings

NO_PROVIDER: Final = (
    "no provider is configured: set OPENAI_API_KEY or MISTRAL_API_KEY, "
    "or write [providers.NAME] into tokenwire.toml"
)

Config = Annotated[
    Path | None,
    typer.Option(help="Settings file; default: TOKENWIRE_CONFIG, else ./tokenwire.toml if there is one."),
]


def serve(
    config: Config = None,
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Without a provider, serve the embedded simulator.")
    ] = False,
    listen: Annotated[
        list[str] | None, typer.Option(metavar="ADDR", help="host:port or unix:/path; repeatable.")
    ] = None,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = _load(config, {"server": {"listen": listen}} if listen else {})
    if not settings.providers and settings.production:
        fail(f"{NO_PROVIDER} (--demo is refused in production)", UNUSABLE)
    if not settings.providers and not demo:
        fail(f"{NO_PROVIDER}; or try --demo", UNUSABLE)

    if not settings.providers and settings.server.workers != 1:
        note("--demo serves with one process, whatever server.workers says")
        settings = settings.model_copy(update={"server": settings.server.model_copy(update={"workers": 1})})

    from tokenwire_server.settings import scrub  # noqa: PLC0415 (loaded by the command that needs it)

    scrub(os.environ)  # before the SDKs are imported

    from tokenwire_server.listeners import StartError  # noqa: PLC0415 (loaded by the command that needs it)

    try:
        code = _run(settings)
    except StartError as error:
        fail(str(error), UNUSABLE)
    raise typer.Exit(code)


def _run(settings: "Settings") -> int:
    if settings.server.workers == 1:
        from tokenwire_server.app import run  # noqa: PLC0415 (loaded by the command that needs it)

        return run(settings, demo=not settings.providers)

    from tokenwire_server.supervisor import supervise  # noqa: PLC0415 (loaded by the command that needs it)

    return supervise(settings)


def worker() -> None:
    """One of the processes of `serve`, which starts it."""
    from tokenwire_server.app import work  # noqa: PLC0415 (loaded by the command that needs it)

    raise typer.Exit(work())


def check(config: Config = None) -> None:
    """Print what would be served, or what is wrong with the settings."""
    settings = _load(config, {})

    from tokenwire_server.settings import describe  # noqa: PLC0415 (loaded by the command that needs it)

    typer.echo(describe(settings))
    if not settings.providers:
        fail(NO_PROVIDER, UNUSABLE)


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = a free one.")] = 8080,
) -> None:
    """Serve the provider simulator over HTTP, for tests without a key."""
    try:
        asyncio.run(_simulate(host, port))
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port", UNUSABLE)


async def _simulate(host: str, port: int) -> None:
    from tokenwire_server.simulator import serving  # noqa: PLC0415 (loaded by the command that needs it)

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(host, port) as simulator:
        typer.echo(f"Simulated OpenAI on {simulator.url}; any key will do. For its clients:")
        typer.echo(f"  export OPENAI_BASE_URL={simulator.url} OPENAI_API_KEY=simulated")
        await stop.wait()


def _load(config: Path | None, overrides: dict[str, object]) -> "Settings":
    from tokenwire_server.settings import SettingsError, load  # noqa: PLC0415 (loaded by the command that needs it)

    try:
        return load(config, dict(os.environ), Path.cwd(), overrides)
    except SettingsError as error:
        fail(f"the settings have mistakes\n{error}", UNUSABLE)

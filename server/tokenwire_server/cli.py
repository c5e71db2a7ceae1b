"""The commands. Each imports what it needs when it runs: a health probe must not load SDKs or settings.

Exit codes: 0 done, 1 the call failed, 2 the command cannot do it as given, 130 interrupted.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, TypeVar

import typer
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.text import Text

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2

if TYPE_CHECKING:  # loading them is what the commands put off
    from tokenwire_server.rpc.caller import CallFailure
    from tokenwire_server.settings import Settings

FAILED: Final = 1
UNUSABLE: Final = 2
INTERRUPTED: Final = 130

NO_PROVIDER: Final = (
    "no provider is configured: set OPENAI_API_KEY or MISTRAL_API_KEY, "
    "or write [providers.NAME] into tokenwire.toml"
)

T = TypeVar("T")
Calling = tuple[str, float, str]
"""Which server to call, for how many seconds, with which token."""

app = typer.Typer(
    help="Tokenwire: one typed gRPC service in front of your model providers.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would print local variables
    rich_markup_mode=None,  # plain help, also in a pipe
)

tokens = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(tokens, name="token", help='Tokens of callers, for auth.mode = "token".')

Config = Annotated[
    Path | None,
    typer.Option(help="Settings file; default: TOKENWIRE_CONFIG, else ./tokenwire.toml if there is one."),
]
Target = Annotated[
    str, typer.Option(envvar="TOKENWIRE_TARGET", help="Server to call: host:port or unix:/path.")
]


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


@app.command()
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
        _fail(f"{NO_PROVIDER} (--demo is refused in production)", UNUSABLE)
    if not settings.providers and not demo:
        _fail(f"{NO_PROVIDER}; or try --demo", UNUSABLE)

    from tokenwire_server.settings import scrub  # noqa: PLC0415

    scrub(os.environ)  # before the SDKs are imported

    from tokenwire_server.app import StartError, run  # noqa: PLC0415

    try:
        code = run(settings, demo=not settings.providers)
    except StartError as error:
        _fail(str(error), UNUSABLE)
    raise typer.Exit(code)


@app.command()
def check(config: Config = None) -> None:
    """Print what would be served, or what is wrong with the settings."""
    settings = _load(config, {})

    from tokenwire_server.settings import describe  # noqa: PLC0415

    typer.echo(describe(settings))
    if not settings.providers:
        _fail(NO_PROVIDER, UNUSABLE)


@app.command()
def chat(
    prompt: Annotated[str | None, typer.Argument(help="What to ask; default: standard input.")] = None,
    *,
    model: Annotated[str, typer.Option(help="provider/model; default: the server's.")] = "",
    system: Annotated[str, typer.Option(help="Instructions that stand before the prompt.")] = "",
    target: Target = "127.0.0.1:50051",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds for the whole answer.")] = 600.0,
    json: Annotated[bool, typer.Option("--json", help="Print the whole response as JSON instead.")] = False,
) -> None:
    """Ask a running server; prints tokens as they come.

    TOKENWIRE_TOKEN is the caller's token, where the server wants one.
    """
    request = _request(model, system, _prompt(prompt))
    calling = (target, timeout, _token())
    response = _run(_chat(request, calling, _ignore if json else _write), target, FAILED)
    if json:
        typer.echo(MessageToJson(response, ensure_ascii=False))
    _show_warnings(response.warnings)
    reasons = {choice.finish_reason for choice in response.choices} - {pb.FINISH_REASON_STOP}
    for reason in sorted(reasons):
        _note(f"the answer ended with {pb.FinishReason.Name(reason)}")


@app.command()
def embed(
    text: Annotated[list[str] | None, typer.Argument(help="Default: the lines of standard input.")] = None,
    *,
    model: Annotated[str, typer.Option(help="provider/model; default: the server's.")] = "",
    target: Target = "127.0.0.1:50051",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds for all vectors.")] = 600.0,
    dimensions: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="Length of the vectors; default: the model's.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole response as JSON instead.")] = False,
) -> None:
    """Turn texts into vectors; prints the length of each and its first numbers.

    TOKENWIRE_TOKEN is the caller's token, where the server wants one.
    """
    texts = text or _prompt(None).removesuffix("\n").split("\n")
    try:
        request = embed_pb2.EmbedRequest(model=model, input=texts, dimensions=dimensions)
    except ValueError:
        _fail("the arguments are not UTF-8 text", UNUSABLE)
    response = _run(_embed(request, (target, timeout, _token())), target, FAILED)
    if json:
        typer.echo(MessageToJson(response, ensure_ascii=False))
    else:
        for embedding in response.embeddings:
            numbers = " ".join(f"{value:+.4f}" for value in embedding.values[:8])
            typer.echo(f"{len(embedding.values)}: {numbers}{' …' if len(embedding.values) > 8 else ''}")
    _show_warnings(response.warnings)


@app.command()
def health(
    target: Target = "127.0.0.1:50051",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait.")] = 3.0,
) -> None:
    """Ask a running server whether it serves.

    Exit code 0: it does; 1: it does not; 2: no answer.
    """
    status = _run(_health((target, timeout, _token())), target, UNUSABLE)
    typer.echo(status)
    raise typer.Exit(0 if status == "SERVING" else FAILED)


@app.command()
def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = a free one.")] = 8080,
) -> None:
    """Serve the provider simulator over HTTP, for tests without a key."""
    try:
        asyncio.run(_simulate(host, port))
    except OSError as error:
        _fail(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port", UNUSABLE)


@tokens.command("new")
def token_new(
    name: Annotated[str, typer.Argument(help="The caller's name, as logs and metrics will show it.")],
    *,
    only_hash: Annotated[
        bool, typer.Option("--hash", help="Read a token from standard input; print its line alone.")
    ] = False,
) -> None:
    """Make a token for a caller; prints it, and the line for [auth.tokens].

    The token is kept nowhere: this is the only time that it is shown.
    """
    from tokenwire_server import auth  # noqa: PLC0415

    if not auth.is_name(name):
        _fail("a caller's name is 1 to 64 of A-Z, a-z, 0-9, _ and -, and does not begin with tw_", UNUSABLE)
    token = _given_token() if only_hash else auth.new_token()
    if not only_hash:
        typer.echo(token)
    typer.echo(f'{name} = "{auth.hash_of(token)}"')
    if not only_hash:
        _note("The first line is the token, which nothing shows again: it is for the caller alone.")
        _note(
            "The second belongs under [auth.tokens] in tokenwire.toml; docs/authentication.md has the rest."
        )


def _given_token() -> str:
    from tokenwire_server import auth  # noqa: PLC0415

    if sys.stdin.isatty():
        _fail("no token: pipe it in", UNUSABLE)
    try:
        token = sys.stdin.read().strip()
    except UnicodeDecodeError:
        token = ""
    if not auth.is_token(token):
        _fail("standard input is no token: a token is one word of A-Z, a-z, 0-9 and . _ ~ + / -", UNUSABLE)
    if len(token) < auth.SHORTEST:
        _fail(f"the token can be guessed: it needs {auth.SHORTEST} random characters or more", UNUSABLE)
    return token


def _token() -> str:
    """The token that goes with calls. A variable, as everybody on the machine sees arguments."""
    from tokenwire_server import auth  # noqa: PLC0415

    token = os.environ.get("TOKENWIRE_TOKEN", "")
    if token and not auth.is_token(token):
        _fail("TOKENWIRE_TOKEN is no token: it has a space, a line break or another odd character", UNUSABLE)
    return token


def _load(config: Path | None, overrides: dict[str, object]) -> "Settings":
    from tokenwire_server.settings import SettingsError, load  # noqa: PLC0415

    try:
        return load(config, dict(os.environ), Path.cwd(), overrides)
    except SettingsError as error:
        _fail(f"the settings have mistakes\n{error}", UNUSABLE)


def _prompt(prompt: str | None) -> str:
    if prompt is not None:
        return prompt
    if sys.stdin.isatty():
        _fail("no prompt: give one as argument, or pipe it in", UNUSABLE)
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        _fail("standard input is not UTF-8 text", UNUSABLE)


def _request(model: str, system: str, prompt: str) -> pb.ChatRequest:
    try:
        turns = [pb.ChatMessage(role=pb.ROLE_SYSTEM, text=system)] if system else []
        return pb.ChatRequest(model=model, messages=[*turns, pb.ChatMessage(role=pb.ROLE_USER, text=prompt)])
    except ValueError:
        _fail("the arguments are not UTF-8 text", UNUSABLE)


async def _chat(request: pb.ChatRequest, calling: Calling, show: Callable[[str], None]) -> pb.ChatResponse:
    from tokenwire_server.rpc.caller import caller  # noqa: PLC0415

    response, last = pb.ChatResponse(), "\n"
    try:
        async with caller(*calling) as server:
            async for event in server.chat(request):
                response = event.completed.response
                if text := event.text_delta.text or event.refusal_delta.text:
                    show(text)
                    last = text[-1]
    finally:
        if last != "\n":
            show("\n")
    return response


async def _embed(request: embed_pb2.EmbedRequest, calling: Calling) -> embed_pb2.EmbedResponse:
    from tokenwire_server.rpc.caller import caller  # noqa: PLC0415

    async with caller(*calling) as server:
        return await server.embed(request)


async def _health(calling: Calling) -> str:
    from tokenwire_server.rpc.caller import caller  # noqa: PLC0415

    async with caller(*calling) as server:
        return await server.health()


async def _simulate(host: str, port: int) -> None:
    from tokenwire_server.simulator import serving  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(host, port) as simulator:
        typer.echo(f"Simulated OpenAI on {simulator.url}; any key will do. For its clients:")
        typer.echo(f"  export OPENAI_BASE_URL={simulator.url} OPENAI_API_KEY=simulated")
        await stop.wait()


def _run(work: Coroutine[Any, Any, T], target: str, code: int) -> T:
    """Runs one call to its end; a failure ends the command with `code`, Ctrl-C cancels the call."""
    from tokenwire_server.rpc.caller import CallFailure  # noqa: PLC0415

    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except CallFailure as failure:
        _fail(_explain(failure, target), code)


def _explain(failure: "CallFailure", target: str) -> str:
    title = failure.reason or failure.code
    message = failure.message.removeprefix(title).removeprefix(": ")
    lines = [f"{title}: {message}" if message else title]
    lines += [f"  {field}: {text}" for field, text in failure.violations]
    if failure.request_id:
        lines.append(f"  request id: {failure.request_id}")
    if failure.retry_after is not None:
        lines.append(f"  try again in {failure.retry_after:g} s")
    if failure.reason == "UNAUTHENTICATED":
        lines.append("  TOKENWIRE_TOKEN must be a token that the server knows")
    if failure.code == "UNAVAILABLE" and not failure.reason:
        lines.append(f"  is `tokenwire serve` running at {target}? --target names another")
    return "\n".join(lines)


def _write(text: str) -> None:
    """Shows part of an answer at once. A terminal gets no control characters: a model must not steer it."""
    if sys.stdout.isatty():
        text = "".join(c for c in text if c.isprintable() or c in "\n\t")
    sys.stdout.write(text)
    sys.stdout.flush()


def _ignore(text: str) -> None:
    pass


def _show_warnings(warnings: Iterable[common_pb2.CallWarning]) -> None:
    for warning in warnings:
        _note(": ".join(filter(None, ("warning", warning.field, warning.text))))


def _note(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(Text(text))


def _fail(text: str, code: int) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(Text("error: ", "bold red") + Text(text))
    raise typer.Exit(code)

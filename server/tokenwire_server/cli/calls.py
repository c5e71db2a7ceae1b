"""The commands that call a running server.

TOKENWIRE_TOKEN is the caller's token, where the server wants one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from google.protobuf.descriptor import EnumDescriptor

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2, health_pb2, models_pb2, tokens_pb2
from tokenwire_server.cli.output import (
    FAILED,
    INTERRUPTED,
    UNUSABLE,
    fail,
    note,
    waiting,
    warn_of,
    write,
    write_json,
    write_table,
)
from tokenwire_server.cli.question import given, question
from tokenwire_server.cli.token import own

if TYPE_CHECKING:  # loading them is what the commands put off
    from tokenwire_server.rpc.caller import Caller, CallFailure

T = TypeVar("T")

HERE: Final = "127.0.0.1:50051"
Prompt = Annotated[str | None, typer.Argument(help="What to ask; default: standard input.")]
Model = Annotated[str, typer.Option(help="provider/model; default: the server's.")]
System = Annotated[str, typer.Option(help="Instructions that stand before the prompt.")]
Images = Annotated[
    list[Path] | None,
    typer.Option("--image", metavar="PATH", help="PNG, JPEG, GIF or WebP file to look at; repeatable."),
]
Target = Annotated[
    str, typer.Option(envvar="TOKENWIRE_TARGET", help="Server to call: host:port or unix:/path.")
]
Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds for the whole answer.")]
Json = Annotated[bool, typer.Option("--json", help="Print the whole response as JSON instead.")]


def chat(
    prompt: Prompt = None,
    *,
    model: Model = "",
    system: System = "",
    image: Images = None,
    target: Target = HERE,
    timeout: Timeout = 600.0,
    json: Json = False,
) -> None:
    """Ask a model; prints the answer as it comes."""
    request = question(model, system, given(prompt), image or ())
    show = _ignore if json else write
    response = _call(target, timeout, lambda server: _shown(server.chat(request), show))
    if json:
        write_json(response)
    warn_of(response.warnings)
    reasons = {choice.finish_reason for choice in response.choices} - {pb.FINISH_REASON_STOP}
    for reason in sorted(reasons):
        note(f"the answer ended with {_name(pb.FinishReason.DESCRIPTOR, reason)}")


async def _shown(
    events: AsyncIterator[pb.ChatStreamResponse], show: Callable[[str], None]
) -> pb.ChatResponse:
    response, last = pb.ChatResponse(), "\n"
    try:
        async for event in events:
            response = event.completed.response
            if text := event.text_delta.text or event.refusal_delta.text:
                show(text)
                last = text[-1]
    finally:
        if last != "\n":
            show("\n")
    return response


def _ignore(text: str) -> None:
    pass


def embed(
    text: Annotated[list[str] | None, typer.Argument(help="Default: the lines of standard input.")] = None,
    *,
    model: Model = "",
    dimensions: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="Length of the vectors; default: the model's.")
    ] = None,
    target: Target = HERE,
    timeout: Timeout = 600.0,
    json: Json = False,
) -> None:
    """Turn texts into vectors; prints the length of each and its first numbers."""
    texts = text or given(None).removesuffix("\n").split("\n")
    try:
        request = embed_pb2.EmbedRequest(model=model, input=texts, dimensions=dimensions)
    except ValueError:
        fail("the arguments are not UTF-8 text", UNUSABLE)
    with waiting(f"{len(texts)} texts"):
        response = _call(target, timeout, lambda server: server.embed(request))
    if json:
        write_json(response)
    else:
        for embedding in response.embeddings:
            numbers = " ".join(f"{value:+.4f}" for value in embedding.values[:8])
            typer.echo(f"{len(embedding.values)}: {numbers}{' …' if len(embedding.values) > 8 else ''}")
    warn_of(response.warnings)


def tokens(
    prompt: Prompt = None,
    *,
    model: Model = "",
    system: System = "",
    image: Images = None,
    target: Target = HERE,
    timeout: Timeout = 60.0,
    json: Json = False,
) -> None:
    """Count the input tokens of a question without asking it."""
    asked = question(model, system, given(prompt), image or ())
    request = tokens_pb2.CountTokensRequest(chat=asked)
    response = _call(target, timeout, lambda server: server.count_tokens(request))
    if json:
        write_json(response)
    else:
        typer.echo(response.input_tokens)
    if response.source == common_pb2.TOKEN_SOURCE_ESTIMATED:
        note("the number is an estimate")
    warn_of(response.warnings)


def models(
    *,
    provider: Annotated[str, typer.Option(help="Only those of this provider.")] = "",
    target: Target = HERE,
    timeout: Timeout = 60.0,
    json: Json = False,
) -> None:
    """List the models of the server's providers.

    Columns: name, context and output in tokens, prices in and out in US dollars for a million tokens,
    abilities. What is not known is empty.
    """
    with waiting("models"):
        found = _call(target, timeout, lambda server: _all_models(server, provider))
    if json:
        write_json(found)
    else:
        head = ("model", "context", "output", "in $", "out $", "abilities")
        write_table(head, map(_row, found.models))
    for name in found.unreachable:
        note(f"warning: {name} could not be asked")


async def _all_models(server: "Caller", provider: str) -> models_pb2.ListModelsResponse:
    """All pages as one."""
    found = models_pb2.ListModelsResponse()
    request = models_pb2.ListModelsRequest(provider=provider, page_size=1000)
    while True:
        page = await server.list_models(request)
        found.models.extend(page.models)
        found.unreachable[:] = page.unreachable
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def _row(model: models_pb2.Model) -> tuple[str, ...]:
    prices = model.prices
    abilities = (_name(models_pb2.ModelCapability.DESCRIPTOR, ability) for ability in model.capabilities)
    return (
        model.name,
        str(model.context_window or ""),
        str(model.max_output_tokens or ""),
        f"{prices.input_usd:g}" if prices.HasField("input_usd") else "",
        f"{prices.output_usd:g}" if prices.HasField("output_usd") else "",
        " ".join(name.removeprefix("MODEL_CAPABILITY_").lower() for name in abilities),
    )


def health(
    *,
    target: Target = HERE,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait.")] = 3.0,
    json: Annotated[bool, typer.Option("--json", help="Print what is known of each provider.")] = False,
) -> None:
    """Ask a running server whether it serves.

    Exit code 0: it does; 1: it does not; 2: no answer.
    """
    if json:
        report = _call(target, timeout, lambda server: server.health_report(), UNUSABLE)
        write_json(report)
        serves = report.status != health_pb2.HEALTH_STATUS_NOT_SERVING
    else:
        status = _call(target, timeout, lambda server: server.health(), UNUSABLE)
        typer.echo(status)
        serves = status == "SERVING"
    raise typer.Exit(0 if serves else FAILED)


def _name(names: EnumDescriptor, number: int) -> str:
    """Of a value that the server may be the first to know."""
    found = names.values_by_number.get(number)
    return found.name if found else str(number)


def _call(
    target: str, timeout: float, work: "Callable[[Caller], Coroutine[Any, Any, T]]", code: int = FAILED
) -> T:
    """Runs calls to their end; a failure ends the command with `code`, Ctrl-C cancels them."""
    from tokenwire_server.rpc.caller import CallFailure, caller  # noqa: PLC0415 (loaded by the command that needs it)

    async def called() -> T:
        async with caller(target, timeout, token) as server:
            return await work(server)

    token = own()
    try:
        return asyncio.run(called())
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except CallFailure as failure:
        fail("\n".join(_explained(failure, target)), code)


def _explained(failure: "CallFailure", target: str) -> Iterator[str]:
    title = failure.reason or failure.code
    message = failure.message.removeprefix(title).removeprefix(": ")
    yield f"{title}: {message}" if message else title
    for field, text in failure.violations:
        yield f"  {field}: {text}"
    if failure.request_id:
        yield f"  request id: {failure.request_id}"
    if failure.retry_after is not None:
        yield f"  try again in {failure.retry_after:g} s"
    if failure.reason == "UNAUTHENTICATED":
        yield "  TOKENWIRE_TOKEN must be a token that the server knows"
    if failure.code == "UNAVAILABLE" and not failure.reason:
        yield f"  is `tokenwire serve` running at {target}? --target names another"

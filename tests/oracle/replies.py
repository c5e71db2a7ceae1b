"""Replies of a provider, read by the official SDK and by this gateway, and what the two must agree in."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from openai import AsyncOpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion
from oracle.capture import gateway, listening, new_call, our_stream
from oracle.cases_messages import ASK, SDK_ASK
from unit.providers.stream_rules import check_stream

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.backend import Backend
from tokenwire_server.errors import GatewayError

FOLDER = os.environ.get("TOKENWIRE_RECORDINGS", "")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A reply as it was received."""

    name: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def streams(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")


def recordings(file: str) -> list[Recorded]:
    """The replies of one file of recordings; skips the module that asks where there are none."""
    if not FOLDER:
        reason = "TOKENWIRE_RECORDINGS does not name the folder with recorded provider traffic"
        pytest.skip(reason, allow_module_level=True)
    lines = Path(FOLDER, file).read_text(encoding="utf-8").splitlines()
    return [
        Recorded(row["name"], row["status"], row["headers"], row["body"].encode())
        for row in map(json.loads, lines)
    ]


@dataclass
class Readers:
    """An official SDK and this gateway before a provider that gives one reply again and again."""

    reply: Recorded | None = None
    backend: Backend = field(init=False)
    ask_sdk: Callable[[bool], Awaitable["View"]] = field(init=False)
    """Makes the SDK's call, as a stream or not, and reads what comes."""

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        if self.reply is None:
            return web.Response(status=500)
        return web.Response(status=self.reply.status, headers=self.reply.headers, body=self.reply.body)

    async def theirs(self, reply: Recorded) -> "View":
        """What the SDK makes of a reply."""
        self.reply = reply
        return await self.ask_sdk(reply.streams)

    async def ours(self, reply: Recorded) -> "View":
        """What this gateway makes of it; of a stream, its order of events is checked too."""
        self.reply = reply
        request = pb.ChatRequest(messages=[ASK])
        if not reply.streams:
            return view_of_ours(await self.backend.chat(request, new_call()))
        events = await our_stream(self.backend, request)
        check_stream(events)
        return view_of_ours(events[-1].completed.response)

    async def refusal(self, reply: Recorded, *, stream: bool = False) -> GatewayError:
        """The error that this gateway makes of it."""
        self.reply = reply
        request = pb.ChatRequest(messages=[ASK])
        with pytest.raises(GatewayError) as raised:
            await (our_stream(self.backend, request) if stream else self.backend.chat(request, new_call()))
        return raised.value


@asynccontextmanager
async def replying(readers: Readers) -> AsyncIterator[str]:
    """Serves what the readers read; gives the address."""
    app = web.Application()
    for path in ("chat/completions", "responses"):
        app.router.add_post(f"/v1/{path}", readers.answer)
    async with listening(app) as address:
        yield address


@asynccontextmanager
async def reading(kind: str = "openai") -> AsyncIterator[Readers]:
    """Readers with OpenAI's SDK, connected."""
    readers = Readers()
    async with (
        replying(readers) as address,
        gateway(f"{address}/v1", kind=kind) as readers.backend,
        AsyncOpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0) as sdk,
    ):

        async def ask(stream: bool) -> View:  # noqa: FBT001 (a parameter of the test)
            arguments: dict[str, Any] = {"model": "gpt-4o", "messages": [SDK_ASK]}
            if not stream:
                return view_of_theirs(await sdk.chat.completions.create(**arguments))
            state = ChatCompletionStreamState()
            async with await sdk.chat.completions.create(**arguments, stream=True) as chunks:
                async for chunk in chunks:
                    state.handle_chunk(chunk)
            return view_of_theirs(state.current_completion_snapshot)

        readers.ask_sdk = ask
        yield readers


@dataclass(frozen=True)
class ChoiceView:
    """One answer."""

    index: int
    text: str
    reasoning: str
    refusal: str
    function_calls: Sequence[tuple[str, str, str]]
    other_calls: Sequence[Mapping[str, Any]]
    finish: str
    logprobs: Sequence[Any]
    annotations: Sequence[Any]


@dataclass(frozen=True)
class View:
    """All of a reply that both sides have a place for."""

    id: str
    model: str
    created: int
    fingerprint: str
    service_tier: str
    usage: Mapping[str, int] | None
    choices: Sequence[ChoiceView]


def view_of_theirs(reply: ChatCompletion) -> View:
    return View(
        id=reply.id,
        model=reply.model,
        created=reply.created,
        fingerprint=reply.system_fingerprint or "",
        service_tier=reply.service_tier or "",
        usage=_their_usage(reply),
        choices=[_their_choice(choice) for choice in reply.choices],
    )


def _their_usage(reply: ChatCompletion) -> Mapping[str, int] | None:
    usage = reply.usage
    if usage is None:
        return None
    given, made = usage.prompt_tokens_details, usage.completion_tokens_details
    return {
        "input": usage.prompt_tokens,
        "output": usage.completion_tokens,
        "total": usage.total_tokens,
        "cached": (given and given.cached_tokens) or 0,
        "reasoning": (made and made.reasoning_tokens) or 0,
    }


def _their_choice(choice: Any) -> ChoiceView:
    message = choice.message
    calls = message.tool_calls or []
    logprobs = choice.logprobs and (choice.logprobs.content or choice.logprobs.refusal)
    sources = getattr(message, "annotations", None) or []
    return ChoiceView(
        index=choice.index,
        text=message.content or "",
        reasoning=getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None) or "",
        refusal=message.refusal or "",
        function_calls=[
            (call.id, call.function.name, call.function.arguments or "")
            for call in calls
            if call.type == "function"
        ],
        other_calls=[_their_call(call) for call in calls if call.type != "function"],
        finish=choice.finish_reason,
        logprobs=[
            (*_their_logprob(entry), [_their_logprob(other) for other in entry.top_logprobs])
            for entry in logprobs or ()
        ],
        annotations=[
            json.loads(json.dumps(source, default=lambda model: model.to_dict())) for source in sources
        ],
    )


def _their_call(call: Any) -> dict[str, Any]:
    """Without what the SDK adds to a call that it puts together from a stream: its index, and nulls."""
    return {key: value for key, value in call.to_dict().items() if key != "index" and value is not None}


def _their_logprob(entry: Any) -> tuple[str, float, bytes]:
    return entry.token, entry.logprob, bytes(entry.bytes or [])


def view_of_ours(response: pb.ChatResponse) -> View:
    usage = response.usage
    return View(
        id=response.id,
        model=response.model,
        created=response.create_time.seconds,
        fingerprint=response.system_fingerprint,
        service_tier=response.service_tier,
        usage={
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "total": usage.total_tokens,
            "cached": usage.cached_input_tokens,
            "reasoning": usage.reasoning_tokens,
        }
        if response.HasField("usage")
        else None,
        choices=[_our_choice(choice) for choice in response.choices],
    )


FINISH = {
    "stop": pb.FINISH_REASON_STOP,
    "length": pb.FINISH_REASON_LENGTH,
    "tool_calls": pb.FINISH_REASON_TOOL_CALLS,
    "content_filter": pb.FINISH_REASON_CONTENT_FILTER,
    "model_length": pb.FINISH_REASON_LENGTH,
}


def _our_choice(choice: pb.Choice) -> ChoiceView:
    message = choice.message
    refusal = "".join(part.refusal for part in message.parts)
    declined = refusal and choice.native_finish_reason == "stop"
    expected = pb.FINISH_REASON_REFUSAL if declined else FINISH[choice.native_finish_reason]
    assert choice.finish_reason == expected
    calls = [part.tool_call for part in message.parts if part.HasField("tool_call")]
    return ChoiceView(
        index=choice.index,
        text=message.text,
        reasoning="".join(part.reasoning.text for part in message.parts),
        refusal=refusal,
        function_calls=[(call.id, call.name, call.arguments_json) for call in calls],
        other_calls=[
            json.loads(part.provider_item.item_json)
            for part in message.parts
            if part.HasField("provider_item")
        ],
        finish=choice.native_finish_reason,
        logprobs=[
            (*_our_logprob(entry), [_our_logprob(other) for other in entry.top]) for entry in choice.logprobs
        ],
        annotations=[_our_annotation(source) for part in message.parts for source in part.annotations],
    )


def _our_logprob(entry: pb.TokenLogprob) -> tuple[str, float, bytes]:
    return entry.token, entry.logprob, entry.bytes


def _our_annotation(source: pb.Annotation) -> dict[str, Any]:
    fields = {
        "url": source.url,
        "title": source.title,
        "start_index": source.start_index,
        "end_index": source.end_index,
    }
    return {"type": source.type, source.type: fields}

"""Replies of the Responses API, read by the official SDK and by this gateway."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from openai import AsyncOpenAI
from openai.types.responses import Response
from oracle.capture import MODEL, gateway, new_call, our_stream, responses_row
from oracle.cases_messages import ASK
from oracle.replies import Readers, Recorded, replying
from unit.providers.stream_rules import check_stream

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.codec import Defaults, Job
from tokenwire_server.providers.openai_responses import CODEC
from tokenwire_server.unsupported import Unsupported

Item = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """All of a reply that both sides have a place for."""

    id: str
    model: str
    created: int
    service_tier: str
    effort: str
    usage: Mapping[str, int] | None
    text: str
    logprobs: Sequence[tuple[str, float]]
    annotations: Sequence[Item]
    items: Sequence[Item]
    """What is appended to the next request's input."""


@dataclass
class ResponsesReaders:
    """The official SDK and this gateway before a provider that gives one reply again and again."""

    readers: Readers
    sdk: AsyncOpenAI

    async def theirs(self, reply: Recorded) -> View:
        """What the SDK makes of a reply. Of a stream, items count as their `done` has them, as it says."""
        self.readers.reply = reply
        arguments: dict[str, Any] = {"model": MODEL, "input": "And now?"}
        if not reply.streams:
            return _their_view(await self.sdk.responses.create(**arguments))
        response, done, logprobs = None, dict[int, Any](), list[Any]()
        async with await self.sdk.responses.create(**arguments, stream=True) as events:
            async for event in events:
                match event.type:
                    case "response.output_item.done":
                        done[event.output_index] = event.item
                    case "response.output_text.delta":
                        logprobs += event.logprobs or ()
                    case "response.completed":
                        response = event.response
        assert response
        response.output = [done.get(index, item) for index, item in enumerate(response.output)]
        return _their_view(response, logprobs)

    async def response(self, reply: Recorded) -> pb.ChatResponse:
        """What this gateway makes of it; of a stream, its order of events is checked too."""
        self.readers.reply = reply
        request = pb.ChatRequest(messages=[ASK])
        if not reply.streams:
            return await self.readers.backend.chat(request, new_call())
        events = await our_stream(self.readers.backend, request)
        check_stream(events)
        return events[-1].completed.response


@asynccontextmanager
async def reading_responses() -> AsyncIterator[ResponsesReaders]:
    """Readers, connected."""
    readers = Readers()
    async with (
        replying(readers) as address,
        gateway(f"{address}/v1", rows=[responses_row()]) as readers.backend,
        AsyncOpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0) as sdk,
    ):
        yield ResponsesReaders(readers, sdk)


def _their_view(reply: Response, logprobs: Sequence[Any] = ()) -> View:
    texts = [text for item in reply.output if item.type == "message" for text in item.content]
    usage = reply.usage
    return View(
        id=reply.id,
        model=reply.model,
        created=int(reply.created_at),
        service_tier=reply.service_tier or "",
        effort=(usage and usage.output_tokens_details.reasoning_tokens and _effort(reply)) or "",
        usage={
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "total": usage.total_tokens,
            "cached": usage.input_tokens_details.cached_tokens or 0,
            "reasoning": usage.output_tokens_details.reasoning_tokens or 0,
        }
        if usage
        else None,
        text=reply.output_text,
        logprobs=[
            (entry.token, entry.logprob)
            for entry in logprobs or [e for text in texts for e in getattr(text, "logprobs", None) or ()]
        ],
        annotations=[
            _said(source.to_dict()) for text in texts for source in getattr(text, "annotations", ())
        ],
        items=[item_of(item.to_dict(warnings=False)) for item in reply.output],
    )


def _effort(reply: Response) -> str:
    return (reply.reasoning and reply.reasoning.effort) or ""


def _said(source: dict[str, Any]) -> Item:
    """What our contract has a place for."""
    return {
        "type": source["type"],
        "url": source.get("url", ""),
        "title": source.get("title", ""),
        "file_id": source.get("file_id", ""),
        "filename": source.get("filename", ""),
        "start": source.get("start_index", source.get("index")),
        "end": source.get("end_index"),
    }


def item_of(item: dict[str, Any]) -> dict[str, Any]:
    """An item without what means nothing in a request: nulls, no content, log probabilities, sources."""
    item = {key: value for key, value in item.items() if value is not None}
    if item.get("type") == "message":
        for text in item["content"]:
            text.pop("logprobs", None)
            text["annotations"] = []
    if item.get("content") == []:
        del item["content"]
    return item


def view_of_ours(response: pb.ChatResponse) -> View:
    (choice,) = response.choices
    usage = response.usage
    return View(
        id=response.id,
        model=response.model,
        created=response.create_time.seconds,
        service_tier=response.service_tier,
        effort=response.reasoning.effort if usage.reasoning_tokens else "",
        usage={
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "total": usage.total_tokens,
            "cached": usage.cached_input_tokens,
            "reasoning": usage.reasoning_tokens,
        },
        text=choice.message.text,
        logprobs=[(entry.token, entry.logprob) for entry in choice.logprobs],
        annotations=[
            {
                "type": source.type,
                "url": source.url,
                "title": source.title,
                "file_id": source.file_id,
                "filename": source.filename,
                "start": source.start_index if source.HasField("start_index") else None,
                "end": source.end_index if source.HasField("end_index") else None,
            }
            for part in choice.message.parts
            for source in part.annotations
        ],
        items=replayed(choice.message),
    )


def replayed(message: pb.ChatMessage) -> list[Item]:
    """The items that an answer becomes in the next request."""
    unsupported = Unsupported()
    job = Job(pb.ChatRequest(messages=[message]), "openai", MODEL, Defaults(), unsupported)
    body = json.loads(orjson.dumps(CODEC.encode(job)["input"]))
    assert unsupported.warnings == []
    return [item_of(item) for item in body]

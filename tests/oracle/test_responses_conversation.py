"""A conversation of three turns with thoughts and tools, kept by nobody: this gateway sends its answers back
as a caller of the official SDK does, who appends `response.output` to the input."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from openai import AsyncOpenAI
from openai.types.responses import Response
from oracle.capture import gateway, listening, new_call, our_stream
from oracle.replies_responses import item_of
from support.ask import WEATHER, ask, result, tool

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire_server.backend import Backend
from tokenwire_server.call import Call, Target, now
from tokenwire_server.simulator import Simulator, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
either_way = pytest.mark.parametrize("streams", [False, True], ids=["unary", "stream"])

MODEL = "gpt-5.4"
ASKED = "[sim:twice] [sim:narrate] Weather here and there?"
AGAIN = "[sim:text] And tomorrow?"
CALLING = ["reasoning", "message", "function_call", "function_call"]
ITEMS = ["user", *CALLING, *["function_call_output"] * 2, "reasoning", "message", "user"]

_WEATHER = WEATHER.function
_FUNCTION = {
    "type": "function",
    "name": _WEATHER.name,
    "description": _WEATHER.description,
    "parameters": json.loads(_WEATHER.parameters_json),
    "strict": None,
}


@dataclass
class Relay:
    """The simulator, but that every caller gets the answers that the first one got."""

    simulator: Simulator
    replies: list[tuple[str, bytes]] = field(default_factory=list)
    inputs: dict[str, list[Any]] = field(default_factory=dict)
    """The input of each request, by the caller's key."""

    async def answer(self, request: web.Request) -> web.Response:
        key, body = request.headers["authorization"], await request.read()
        inputs = self.inputs.setdefault(key, [])
        inputs.append(json.loads(body)["input"])
        if len(self.replies) < len(inputs):
            headers = {"authorization": key, "content-type": "application/json"}
            url = f"{self.simulator.url}/responses"
            async with aiohttp.request("POST", url, data=body, headers=headers) as reply:
                assert reply.status == 200
                self.replies.append((reply.content_type, await reply.read()))
        kind, said = self.replies[len(inputs) - 1]
        return web.Response(body=said, content_type=kind)


async def ours(backend: Backend, *, streams: bool) -> list[pb.ChatMessage]:
    """The conversation through this gateway."""
    messages: list[pb.ChatMessage] = []

    async def turn(said: str | pb.ChatMessage) -> pb.ChatMessage:
        request = ask(*messages, said, tools=[WEATHER])
        request.reasoning.effort = "medium"
        if streams:
            response = (await our_stream(backend, request, new_call(MODEL)))[-1].completed.response
        else:
            response = await backend.chat(request, new_call(MODEL))
        messages[:] = [*request.messages, response.choices[0].message]
        return messages[-1]

    first = await turn(ASKED)
    await turn(tool(*(result(part.tool_call.id) for part in first.parts if part.HasField("tool_call"))))
    await turn(AGAIN)
    return messages


async def theirs(sdk: AsyncOpenAI, *, streams: bool) -> None:
    """The same through the official SDK."""
    items: list[Any] = []

    async def turn(*said: Any) -> Response:
        items.extend(said)
        arguments: dict[str, Any] = {
            "model": MODEL,
            "input": items,
            "tools": [_FUNCTION],
            "reasoning": {"effort": "medium", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "store": False,
        }
        if streams:
            async with sdk.responses.stream(**arguments) as events:
                response: Response = await events.get_final_response()
        else:
            response = await sdk.responses.create(**arguments)
        items.extend(response.output)
        return response

    first = await turn({"role": "user", "content": ASKED})
    calls = [item.call_id for item in first.output if item.type == "function_call"]
    await turn(*({"type": "function_call_output", "call_id": call, "output": "sunny"} for call in calls))
    await turn({"role": "user", "content": AGAIN})


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def simulator() -> AsyncIterator[Simulator]:
    async with serving() as running:
        yield running


@either_way
async def test_the_items_are_those_of_the_sdk(simulator: Simulator, *, streams: bool) -> None:
    relay = Relay(simulator)
    app = web.Application()
    app.router.add_post("/v1/responses", relay.answer)
    async with (
        listening(app) as address,
        gateway(f"{address}/v1") as backend,
        AsyncOpenAI(api_key="sk-sdk", base_url=f"{address}/v1", max_retries=0) as sdk,
    ):
        await ours(backend, streams=streams)
        await theirs(sdk, streams=streams)
    sent, expected = relay.inputs.values()
    assert [[item_of(item) for item in items] for items in sent] == [
        [item_of(item) for item in items] for items in expected
    ]
    last = sent[-1]
    assert [item.get("type", item.get("role")) for item in last] == ITEMS
    assert [item["phase"] for item in last if "phase" in item] == ["commentary", "final_answer"]
    assert all(item["encrypted_content"] for item in last if item.get("type") == "reasoning")


@either_way
async def test_it_goes_on_at_mistral_with_one_warning(simulator: Simulator, *, streams: bool) -> None:
    async with gateway(simulator.url) as openai, gateway(simulator.mistral_url, kind="mistral") as mistral:
        messages = await ours(openai, streams=streams)
        call = Call("request-1", "Chat", now(), target=Target("mistral", "mistral-small-latest"))
        answer = await mistral.chat(ask(*messages, "[sim:text] Thank you.", tools=[WEATHER]), call)
    assert "Thank you." in answer.choices[0].message.text
    (warning,) = call.unsupported.warnings
    assert warning.code == common_pb2.WARNING_CODE_PROVIDER_STATE_DROPPED
    assert warning.field == "messages[1].parts[0].provider_state"
    body = simulator.received[-1].body
    assert isinstance(body, dict)
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "user", "assistant", "user"]

"""The simulator's replies of the Responses API mean the same to the official SDK and to this gateway."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from oracle.cases_options import SCHEMA
from oracle.replies import Recorded
from oracle.replies_responses import ResponsesReaders, reading_responses, view_of_ours

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.simulator import Simulator, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def readers() -> AsyncIterator[ResponsesReaders]:
    async with reading_responses() as both:
        yield both


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def simulator() -> AsyncIterator[Simulator]:
    async with serving() as running:
        yield running


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "name": name, "parameters": SCHEMA, "strict": True}


TOOLS = [tool("find_place"), tool("find_street")]
FORMAT = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
LOGPROBS = {"include": ["message.output_text.logprobs"], "top_logprobs": 3, "reasoning": {"effort": "none"}}

REQUESTS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("text", "Say “hello” 🦀.", {"model": "gpt-4o"}, []),
    ("sealed thoughts", "Say hello.", {}, ["reasoning", "text"]),
    ("summary", "Say hello.", {"reasoning": {"effort": "low", "summary": "auto"}}, ["reasoning", "text"]),
    ("tool", "Where?", {"tools": TOOLS}, ["reasoning", "tool_call"]),
    ("two tools", "[sim:twice] Where?", {"tools": TOOLS}, ["reasoning", "tool_call", "tool_call"]),
    ("refusal", "[sim:refuse] Tell me.", {}, ["reasoning", "refusal"]),
    ("logprobs", "Say hello 🦀.", {"model": "gpt-4o", **LOGPROBS, "reasoning": None}, []),
    ("schema", "Name a place.", {"text": FORMAT}, ["reasoning", "text"]),
]


async def simulated(simulator: Simulator, name: str, body: dict[str, Any]) -> Recorded:
    url, headers = f"{simulator.url}/responses", {"authorization": "Bearer sk-test"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"model": "gpt-5-mini", **body}, headers=headers) as reply,
    ):
        kept = {"content-type": reply.headers["content-type"]}
        return Recorded(name, reply.status, kept, await reply.read())


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(("name", "prompt", "more", "kinds"), REQUESTS, ids=[row[0] for row in REQUESTS])
async def test_a_simulated_answer_means_the_same_to_both(
    readers: ResponsesReaders,
    simulator: Simulator,
    name: str,
    prompt: str,
    more: dict[str, Any],
    kinds: list[str],
    *,
    stream: bool,
) -> None:
    given = {key: value for key, value in more.items() if value is not None}
    reply = await simulated(simulator, name, {"input": prompt, "store": False, "stream": stream, **given})
    assert (reply.status, reply.streams) == (200, stream)
    theirs = await readers.theirs(reply)
    response = await readers.response(reply)
    ours = view_of_ours(response)
    message: pb.ChatMessage = response.choices[0].message
    assert [part.WhichOneof("content") for part in message.parts] == kinds
    if kinds:
        assert ours == theirs
    else:
        assert (ours.text, ours.usage, ours.logprobs) == (theirs.text, theirs.usage, theirs.logprobs)
        assert ours.text
    assert bool(ours.logprobs) == (name == "logprobs")

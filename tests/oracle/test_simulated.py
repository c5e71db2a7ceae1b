"""The simulator's replies mean the same to the official SDK and to this gateway."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from oracle.cases_options import SCHEMA
from oracle.replies import Readers, Recorded, View, reading

from tokenwire_server.simulator import Simulator, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def readers() -> AsyncIterator[Readers]:
    async with reading() as both:
        yield both


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def simulator() -> AsyncIterator[Simulator]:
    async with serving() as running:
        yield running


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": SCHEMA}}


TOOLS = [tool("find_place"), tool("find_street")]
CUSTOM = [{"type": "custom", "custom": {"name": "sql"}}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}

REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("text", "Say “hello” 🦀.", {}),
    ("cut", "Say hello.", {"max_completion_tokens": 4}),
    ("nothing", "Say hello.", {"stop": ["This is"]}),
    ("filtered", "[sim:filter] Say hello.", {}),
    ("tool", "Where is it?", {"tools": TOOLS}),
    ("two tools", "[sim:twice] Where is it?", {"tools": TOOLS}),
    ("custom tool", "[sim:twice] Ask.", {"tools": CUSTOM}),
    ("custom tool and function", "[sim:twice] Ask.", {"tools": [*CUSTOM, TOOLS[0]]}),
    ("refusal", "[sim:refuse] Tell me.", {}),
    ("refusal with logprobs", "[sim:refuse] Tell me.", {"logprobs": True}),
    ("logprobs", "Say hello 🦀.", {"logprobs": True, "top_logprobs": 3}),
    ("two answers", "Say hello.", {"n": 2}),
    ("two answers with logprobs", "Say hello.", {"n": 2, "logprobs": True}),
    ("two answers of two tools", "[sim:twice] Where?", {"n": 2, "tools": TOOLS}),
    ("schema", "Name a place.", {"response_format": FORMAT}),
    ("reasoning", "Think.", {"model": "o3-mini"}),
    ("annotations", "What is new?", {"model": "gpt-4o-search-preview", "web_search_options": {}}),
]  # fmt: skip


async def simulated(simulator: Simulator, name: str, body: dict[str, Any]) -> Recorded:
    url, headers = f"{simulator.url}/chat/completions", {"authorization": "Bearer sk-test"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"model": "gpt-4o", **body}, headers=headers) as reply,
    ):
        kept = {"content-type": reply.headers["content-type"]}
        return Recorded(name, reply.status, kept, await reply.read())


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(("name", "prompt", "more"), REQUESTS, ids=[row[0] for row in REQUESTS])
async def test_a_simulated_answer_means_the_same_to_both(
    readers: Readers, simulator: Simulator, name: str, prompt: str, more: dict[str, Any], *, stream: bool
) -> None:
    body = {"messages": [{"role": "user", "content": prompt}], **more}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    reply = await simulated(simulator, name, body)
    assert (reply.status, reply.streams) == (200, stream)
    theirs = await readers.theirs(reply)
    ours = await readers.ours(reply)
    assert ours == theirs
    assert ours.usage
    EXPECTED.get(name, spoke)(ours)


def spoke(view: View) -> None:
    assert all(choice.text for choice in view.choices)


def called(*names: str) -> Any:
    def check(view: View) -> None:
        for choice in view.choices:
            assert choice.finish == "tool_calls"
            assert tuple(name for _, name, _ in choice.function_calls) == names
            assert all(json.loads(arguments) for _, _, arguments in choice.function_calls)

    return check


def called_sql(count: int) -> Any:
    def check(view: View) -> None:
        (choice,) = view.choices
        assert [call["custom"]["name"] for call in choice.other_calls] == ["sql"] * count
        assert all(call["custom"]["input"] for call in choice.other_calls)

    return check


def refused(view: View) -> None:
    assert all(choice.refusal and not choice.text for choice in view.choices)


def said_nothing(view: View) -> None:
    assert not any(choice.text for choice in view.choices)


def weighed(view: View) -> None:
    assert all(len(choice.logprobs) > 3 for choice in view.choices)


def twofold(view: View) -> None:
    first, second = view.choices
    assert first.text != second.text


def cited(view: View) -> None:
    assert all(choice.annotations for choice in view.choices)


EXPECTED = {
    "nothing": said_nothing,
    "tool": called("find_place"),
    "two tools": called("find_place", "find_street"),
    "custom tool": called_sql(2),
    "custom tool and function": called_sql(1),
    "refusal": refused,
    "refusal with logprobs": weighed,
    "logprobs": weighed,
    "two answers": twofold,
    "two answers with logprobs": weighed,
    "two answers of two tools": called("find_place", "find_street"),
    "annotations": cited,
}
"""That the simulator did say what the row is about."""

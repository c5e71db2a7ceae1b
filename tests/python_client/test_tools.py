"""The loop in which a model calls functions, against a real gateway and the simulator."""

import asyncio
import json
import threading
from contextvars import ContextVar
from typing import Any

import pytest
from python_client.conftest import InSync
from python_client.standin import Standin, serving
from support.ask import assistant, called
from support.gateway import SECONDS, Gateway
from support.quiet import until

from tokenwire import AsyncClient, Client, Conversation, ToolCall, ToolRegistry, errors
from tokenwire.events import Completed, TextDelta
from tokenwire.execution import ToolOutcome
from tokenwire.tools import ToolReturned
from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.simulator import Script

TRACE = ContextVar("TRACE", default="")


def registry_of(*functions: Any, **options: Any) -> ToolRegistry:
    registry = ToolRegistry(**options)
    for function in functions:
        registry.tool(function)
    return registry


def weather(city: str) -> str:
    """Tells the weather."""
    return f"sunny in {city}"


async def test_the_model_calls_and_is_told(client: AsyncClient, in_sync: InSync) -> None:
    conversation = Conversation("Weather?", system="Be brief.")
    answer = await registry_of(weather).run(client, conversation)
    assert "sunny in example city" in answer.text
    roles = [pb.Role.Name(one.role).removeprefix("ROLE_") for one in conversation]
    assert roles == ["SYSTEM", "USER", "ASSISTANT", "TOOL", "ASSISTANT"]
    assert (await in_sync(lambda sync: registry_of(weather).run(sync, "Weather?"))).text


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "openai/gpt-5-mini"])
async def test_each_api_takes_its_own_calls_back(client: AsyncClient, model: str) -> None:
    conversation = Conversation("Weather?")
    for _ in range(2):
        answer = await registry_of(weather).run(client, conversation, model=model)
        assert "sunny" in answer.text
        conversation.add("And there?")


async def test_events_are_told_while_it_goes_on(client: AsyncClient, in_sync: InSync) -> None:
    events: list[Any] = []

    async def told(event: Any) -> None:
        events.append(event)

    await registry_of(weather).run(client, "Weather?", on_event=told)
    kinds = [type(event) for event in events]
    assert kinds.count(Completed) == 2
    assert kinds.index(Completed) < kinds.index(ToolReturned) < kinds.index(TextDelta)
    seen: list[Any] = []
    await in_sync(lambda sync: registry_of(weather).run(sync, "Weather?", on_event=seen.append))
    assert [type(event) for event in seen] == kinds


async def test_calls_of_one_answer_run_side_by_side(client: AsyncClient) -> None:
    """Two calls that wait for each other: one after the other they would hang."""
    barrier = asyncio.Barrier(2)

    async def meet(city: str) -> str:
        await barrier.wait()
        return city

    answer = await registry_of(meet, timeout=SECONDS).run(client, "[sim:twice] Go.")
    assert answer.text


async def test_sync_functions_run_side_by_side_too(client: AsyncClient, in_sync: InSync) -> None:
    barrier = threading.Barrier(2)

    def meet(city: str) -> str:
        barrier.wait(SECONDS)
        return city

    registry = registry_of(meet, timeout=SECONDS)
    assert (await registry.run(client, "[sim:twice] Go.")).text
    assert (await in_sync(lambda sync: registry.run(sync, "[sim:twice] Go."))).text


async def test_no_more_than_parallel_at_a_time(client: AsyncClient) -> None:
    running: list[int] = [0, 0]

    async def count(city: str) -> str:
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(0)
        running[0] -= 1
        return city

    await registry_of(count, parallel=1).run(client, "[sim:twice] Go.")
    assert running[1] == 1


async def test_approval_is_asked_for_each_call(client: AsyncClient) -> None:
    asked: list[str] = []
    executed: list[str] = []

    def pay(city: str) -> str:
        executed.append(city)
        return "paid"

    async def approve(call: ToolCall) -> bool:
        asked.append(call.name)
        return len(asked) > 1

    conversation = Conversation("[sim:twice] Go.")
    outcomes: list[ToolOutcome] = []
    await registry_of(pay, on_call=outcomes.append).run(client, conversation, approve=approve)
    assert asked == ["pay", "pay"]
    assert [outcome.status for outcome in outcomes] == ["denied", "ok"]
    assert len(executed) == 1
    results = [part.tool_result.text for part in conversation.messages[2].parts]
    assert results == ['{"error": "the user did not allow this call"}', "paid"]


async def test_a_sync_caller_may_not_give_an_async_callback(in_sync: InSync) -> None:
    async def approve(call: ToolCall) -> bool:
        await asyncio.sleep(0)
        return bool(call.id)

    def run(client: Client) -> None:
        with pytest.raises(RuntimeError, match="must not wait"):
            registry_of(weather).run(client, "Weather?", approve=approve)

    await in_sync(run)


async def test_an_endless_loop_ends(client: AsyncClient, gateway: Gateway) -> None:
    conversation = Conversation("Go.")
    calling = {
        "type": "function",
        "id": "",
        "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
    }
    for number in range(3):
        call = {**calling, "id": f"c{number}"}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        gateway.simulator.script(_streamed(said))
    with pytest.raises(errors.ToolLoopLimit):
        await registry_of(weather).run(client, conversation, max_steps=3)
    assert len(conversation) == 7
    assert "sunny in Paris" in (await client.chat(conversation)).text


def _streamed(said: dict[str, Any], finish: str = "tool_calls") -> Script:
    """One event with a whole message, and the end."""
    calls = [{**call, "index": index} for index, call in enumerate(said["tool_calls"])]
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    chunks = [
        {**base, "choices": [{"index": 0, "delta": {**said, "tool_calls": calls}, "finish_reason": None}]},
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
    ]
    raw = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return Script(raw=raw, content_type="text/event-stream")


async def test_tool_choice_is_the_first_steps(client: AsyncClient, gateway: Gateway) -> None:
    answer = await registry_of(weather).run(client, "Go.", tool_choice=["weather"])
    assert answer.text
    first, second = (received.body for received in gateway.simulator.received)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert "tool_choice" in first
    assert "tool_choice" not in second


async def test_a_cut_call_is_never_executed(client: AsyncClient) -> None:
    executed: list[str] = []

    def pay(city: str) -> None:
        executed.append(city)

    conversation = Conversation("Go.")
    with pytest.raises(errors.IncompleteToolCall):
        await registry_of(pay).run(client, conversation, max_output_tokens=2)
    assert executed == []
    assert len(conversation) == 1


async def test_wrong_arguments_go_back_to_the_model(client: AsyncClient, gateway: Gateway) -> None:
    """Also those that are no JSON: the call is sent back without them."""
    outcomes: list[ToolOutcome] = []
    for arguments in ("{nonsense", '{"town": "Paris"}'):
        call = {"type": "function", "id": "c1", "function": {"name": "weather", "arguments": arguments}}
        gateway.simulator.script(_streamed({"role": "assistant", "content": None, "tool_calls": [call]}))
        answer = await registry_of(weather, on_call=outcomes.append).run(client, "Go.")
        assert "the arguments are wrong" in answer.text
    assert [outcome.status for outcome in outcomes] == ["bad_arguments"] * 2


async def test_an_unknown_tool_is_said_to_the_model(client: AsyncClient, gateway: Gateway) -> None:
    call = {"type": "function", "id": "c1", "function": {"name": "forecast", "arguments": "{}"}}
    gateway.simulator.script(_streamed({"role": "assistant", "content": None, "tool_calls": [call]}))
    assert "there is no such tool" in (await registry_of(weather).run(client, "Go.")).text


async def test_a_tool_that_hangs_holds_up_nobody(client: AsyncClient, in_sync: InSync) -> None:
    released, before = threading.Event(), set(threading.enumerate())

    def hang(city: str) -> str:
        released.wait(SECONDS)
        return city

    registry = registry_of(hang, timeout=0.05)
    try:
        assert "no result within 0.05 s" in (await registry.run(client, "Go.")).text
        assert "no result within" in (await in_sync(lambda sync: registry.run(sync, "Go."))).text
    finally:
        released.set()

    def left() -> list[threading.Thread]:
        new = set(threading.enumerate()) - before
        return [thread for thread in new if thread.name == "tokenwire-tool"]

    await until(lambda: not left(), lambda: str(left()))


async def test_a_run_that_is_cancelled_cancels_its_tools(client: AsyncClient) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(city: str) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return city

    conversation = Conversation("Go.")
    task = asyncio.ensure_future(registry_of(wait).run(client, conversation))
    await asyncio.wait_for(begun.wait(), SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert len(conversation) == 1


async def test_the_sync_loop_works_where_a_loop_runs(gateway: Gateway) -> None:
    async def greet(city: str) -> str:
        await asyncio.sleep(0)
        return f"Hello, {city}"

    def notebook() -> str:
        async def cell() -> str:
            with Client(gateway.address, timeout=SECONDS) as client:
                return registry_of(greet).run(client, "Go.").text

        return asyncio.run(cell())

    assert "Hello, example city" in await asyncio.to_thread(notebook)


async def test_other_tools_stand_beside_the_registrys() -> None:
    """One that the model calls and nobody has is answered, not waited for."""
    choice = pb.Choice(message=assistant("", called("c1", "other")))
    completed = pb.ChatCompleted(response=pb.ChatResponse(choices=[choice]))
    standin = Standin(events=[pb.ChatStreamResponse(completed=completed)])
    async with serving(standin) as address, AsyncClient(address, timeout=SECONDS) as other:
        outcomes: list[ToolOutcome] = []
        with pytest.raises(errors.ToolLoopLimit):
            await registry_of(weather, on_call=outcomes.append).run(
                other, "Go.", max_steps=1, tools=[{"name": "other"}]
            )
    assert [outcome.status for outcome in outcomes] == ["unknown"]


async def test_a_registry_may_stand_beside_another(client: AsyncClient, gateway: Gateway) -> None:
    await registry_of(weather).run(client, "Go.", tools=ToolRegistry())
    sent = gateway.simulator.received[0].body
    assert isinstance(sent, dict)
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["weather"]


async def test_functions_see_the_callers_context(client: AsyncClient, in_sync: InSync) -> None:
    """As what logs and traces go by."""
    seen: list[str] = []

    def look(city: str) -> str:
        seen.append(TRACE.get())
        return city

    TRACE.set("async")
    await registry_of(look).run(client, "Go.")

    def run(client: Client) -> None:
        TRACE.set("sync")
        registry_of(look).run(client, "Go.")

    await in_sync(run)
    assert seen == ["async", "sync"]

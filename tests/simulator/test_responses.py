"""What the answers of the Responses endpoint are: their items, their state, their echo, their events."""

import json
from itertools import groupby

import pytest
from simulator.responses import (
    CLOSED,
    CUSTOM,
    FUNCTION,
    ask,
    ask_for,
    content,
    final,
    kinds,
    named,
    output,
    response,
    streamed,
    text,
)
from simulator.wire import Body, events

from tokenwire_server.simulator import Simulator, tokens

SCHEMA = {"format": {"type": "json_schema", "name": "s", "schema": CLOSED, "strict": True}}
THINKING: Body = {"model": "gpt-5.5", "reasoning": {"effort": "low", "summary": "auto"}}
MESSAGE = ["output_item.added", "content_part.added", "output_text.delta"]
MESSAGE_END = ["output_text.done", "content_part.done", "output_item.done"]
ALL = [
    pytest.param(ask_for(), id="text"),
    pytest.param(ask_for(text=SCHEMA), id="json"),
    pytest.param(ask_for(tools=[FUNCTION]), id="call"),
    pytest.param(ask_for("[sim:twice] Hi.", tools=[FUNCTION, CUSTOM]), id="two calls"),
    pytest.param(ask_for("[sim:narrate] Hi.", tools=[FUNCTION]), id="text and call"),
    pytest.param(ask_for("[sim:refuse] Hi."), id="refusal"),
    pytest.param(ask_for("[sim:filter] Hi."), id="filtered"),
    pytest.param(ask_for("[sim:error] Hi.", **THINKING), id="failed"),
    pytest.param(ask_for(tools=[{"type": "web_search"}]), id="search"),
    pytest.param(ask_for(**THINKING, tools=[FUNCTION]), id="reasoning"),
    pytest.param(ask_for(**THINKING, max_output_tokens=20), id="only reasoning"),
    pytest.param(ask_for(max_output_tokens=16), id="limited"),
    pytest.param(ask_for(include=["message.output_text.logprobs"], top_logprobs=2), id="logprobs"),
]


@pytest.mark.parametrize("body", ALL)
async def test_the_stream_ends_with_the_whole_response(simulator: Simulator, body: Body) -> None:
    whole = await response(simulator, body)
    last = final(await streamed(simulator, body))
    assert whole["id"] != last["id"]
    assert _unnamed(whole) == _unnamed(last)


@pytest.mark.parametrize("body", ALL)
async def test_items_join_to_what_they_end_as(simulator: Simulator, body: Body) -> None:
    """Every item that is done says what its deltas said, and keeps its name and its place."""
    found = await streamed(simulator, body)
    said: dict[object, str] = {}
    for event in found:
        if named(event).endswith(".delta"):
            said[event["item_id"]] = said.get(event["item_id"], "") + str(event["delta"])
    done = [event for event in found if named(event) == "output_item.done"]
    assert [event["output_index"] for event in done] == [*range(len(done))]
    assert [event["item"] for event in done] == output(final(found))
    for event in done:
        item = event["item"]
        assert isinstance(item, dict)
        assert said.get(item["id"], "") == _told(item)


async def test_events_of_a_text(simulator: Simulator) -> None:
    found = await streamed(simulator, ask_for())
    assert _order(found) == ["created", "in_progress", *MESSAGE, *MESSAGE_END, "completed"]
    assert found[2]["item"] == {
        "id": found[3]["item_id"],
        "type": "message",
        "status": "in_progress",
        "content": [],
        "role": "assistant",
    }
    assert found[4]["logprobs"] == []
    assert found[4]["obfuscation"]


async def test_events_of_reasoning_and_a_call(simulator: Simulator) -> None:
    found = await streamed(simulator, ask_for(**THINKING, tools=[FUNCTION]))
    assert _order(found)[2:-1] == [
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done"),
        "output_item.done",
    ]


async def test_events_of_a_refusal_and_a_custom_call(simulator: Simulator) -> None:
    refused = await streamed(simulator, ask_for("[sim:refuse] Hi."))
    assert _order(refused)[4:6] == ["refusal.delta", "refusal.done"]
    called = await streamed(simulator, ask_for(tools=[CUSTOM]))
    assert _order(called)[3:5] == ["custom_tool_call_input.delta", "custom_tool_call_input.done"]


async def test_a_search_is_told_and_cited(simulator: Simulator) -> None:
    body = ask_for("News?", tools=[{"type": "web_search"}], include=["web_search_call.action.sources"])
    found = await streamed(simulator, body)
    states = [named(event) for event in found if named(event).startswith("web_search_call.")]
    assert states == [f"web_search_call.{state}" for state in ("in_progress", "searching", "completed")]
    (cited,) = [event["annotation"] for event in found if named(event).endswith("annotation.added")]
    search, message = output(final(found))
    assert content(message)["annotations"] == [cited]
    assert isinstance(search["action"], dict)
    assert (search["action"]["query"], len(search["action"]["sources"])) == ("News?", 1)
    assert kinds(await response(simulator, body | {"tool_choice": "none"})) == ["message"]


async def test_every_event_has_its_name_and_no_done_ends_the_stream(simulator: Simulator) -> None:
    answer = await ask(simulator, ask_for(stream=True))
    for event in events(answer.body):
        name, data = event.split(b"\n")
        assert name == b"event: " + json.loads(data[6:])["type"].encode()
    assert b"[DONE]" not in answer.body


async def test_obfuscation_may_be_left_out(simulator: Simulator) -> None:
    found = await streamed(simulator, ask_for(stream_options={"include_obfuscation": False}))
    assert not any("obfuscation" in event for event in found)


async def test_the_encrypted_content_is_whole_only_at_the_end(simulator: Simulator) -> None:
    found = await streamed(simulator, ask_for(**THINKING))
    added, done = (
        next(e["item"] for e in found if named(e) == f"output_item.{w}") for w in ("added", "done")
    )
    assert isinstance(added, dict)
    assert isinstance(done, dict)
    assert added["encrypted_content"] != done["encrypted_content"]


@pytest.mark.parametrize(
    ("body", "status", "details", "items"),
    [
        (ask_for(), "completed", None, ["message"]),
        (ask_for(max_output_tokens=16), "incomplete", "max_output_tokens", ["message"]),
        (ask_for(**THINKING, max_output_tokens=60), "incomplete", "max_output_tokens", ["reasoning"]),
        (
            ask_for(**THINKING, max_output_tokens=70),
            "incomplete",
            "max_output_tokens",
            ["reasoning", "message"],
        ),
        (ask_for("[sim:filter] Hi."), "incomplete", "content_filter", ["message"]),
        (ask_for("[sim:error] Hi.", **THINKING), "failed", None, ["reasoning"]),
    ],
)
async def test_how_responses_end(
    simulator: Simulator, body: Body, status: str, details: str | None, items: list[str]
) -> None:
    whole = await response(simulator, body)
    assert whole["status"] == status
    assert whole["incomplete_details"] == (details and {"reason": details})
    assert kinds(whole) == items
    assert (whole["error"] is None) == (status != "failed")
    if items[-1] == "message":
        assert output(whole)[-1]["status"] == status


async def test_a_failure_breaks_off(simulator: Simulator) -> None:
    found = await streamed(simulator, ask_for("[sim:error] Hi."))
    assert _order(found) == ["created", "in_progress", *MESSAGE, "failed"]
    error = final(found)["error"]
    assert isinstance(error, dict)
    assert error["code"] == "server_error"


async def test_usage(simulator: Simulator) -> None:
    usage = (await response(simulator, ask_for(**THINKING)))["usage"]
    assert isinstance(usage, dict)
    assert usage["output_tokens_details"] == {"reasoning_tokens": 64}
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    more = (await response(simulator, ask_for(**THINKING, instructions="Be brief.")))["usage"]
    assert isinstance(more, dict)
    assert more["input_tokens"] == usage["input_tokens"] + tokens.count("Be brief.")


@pytest.mark.parametrize(
    ("parameters", "name", "expected"),
    [
        ({}, "text", {"format": {"type": "text"}, "verbosity": "medium"}),
        ({}, "tool_choice", "auto"),
        ({}, "temperature", 1.0),
        ({"temperature": 0.2}, "temperature", 0.2),
        ({}, "store", True),
        ({"store": False}, "store", False),
        ({}, "reasoning", {"effort": None, "summary": None}),
        (
            {"model": "gpt-5"},
            "reasoning",
            {"context": "current_turn", "effort": "medium", "mode": "standard", "summary": None},
        ),
        ({}, "service_tier", "default"),
        ({"service_tier": "flex"}, "service_tier", "flex"),
        ({"metadata": {"a": "b"}}, "metadata", {"a": "b"}),
        ({"instructions": "Be brief."}, "instructions", "Be brief."),
        ({"truncation": "auto"}, "truncation", "auto"),
        ({"tools": [FUNCTION]}, "tools", [{**FUNCTION, "description": None, "strict": True}]),
        (
            {"text": SCHEMA},
            "text",
            {"format": {**SCHEMA["format"], "description": None}, "verbosity": "medium"},
        ),
    ],
)
async def test_echo(simulator: Simulator, parameters: Body, name: str, expected: object) -> None:
    assert (await response(simulator, ask_for(**parameters)))[name] == expected


@pytest.mark.parametrize(("model", "phase"), [("gpt-5.4", "final_answer"), ("gpt-5.2", None)])
async def test_phases(simulator: Simulator, model: str, phase: str | None) -> None:
    (message,) = output(await response(simulator, ask_for(model=model)))
    assert message.get("phase") == phase


async def test_a_text_before_a_call_is_a_commentary(simulator: Simulator) -> None:
    """Recorded of a model that was told to narrate."""
    whole = await response(simulator, ask_for("[sim:narrate] Hi.", **THINKING, tools=[FUNCTION]))
    assert kinds(whole) == ["reasoning", "message", "function_call"]
    message = output(whole)[1]
    assert (message["phase"], message["status"]) == ("commentary", "completed")
    assert content(message)["text"] == "I will look that up."


@pytest.mark.parametrize(("summary", "parts"), [(None, 0), ("auto", 1), ("concise", 1), ("detailed", 2)])
async def test_summaries(simulator: Simulator, summary: str | None, parts: int) -> None:
    body = ask_for(model="gpt-5", reasoning={"effort": "low", "summary": summary})
    found = output(await response(simulator, body))[0]["summary"]
    assert isinstance(found, list)
    assert len(found) == parts
    assert all(part["type"] == "summary_text" and part["text"] for part in found)


async def test_no_effort_no_reasoning(simulator: Simulator) -> None:
    whole = await response(simulator, ask_for(model="gpt-5.2", reasoning={"effort": "none"}))
    assert kinds(whole) == ["message"]


async def test_logprobs(simulator: Simulator) -> None:
    body = ask_for("[sim:echo] one two", include=["message.output_text.logprobs"], top_logprobs=2)
    found = await streamed(simulator, body)
    deltas = [event["logprobs"] for event in found if named(event) == "output_text.delta"]
    rows = [row for rows in deltas if isinstance(rows, list) for row in rows]
    assert content(output(final(found))[0])["logprobs"] == rows
    assert [row["token"] for row in rows] == ["one", " two"]
    assert all(len(row["top_logprobs"]) == 2 for row in rows)


@pytest.mark.parametrize(
    ("tool_choice", "called"),
    [
        (None, ["look_up"]),
        ("auto", ["look_up"]),
        ("none", []),
        ("required", ["look_up"]),
        ({"type": "function", "name": "look_up"}, ["look_up"]),
        ({"type": "custom", "name": "run_code"}, ["run_code"]),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "custom", "name": "run_code"}, {"type": "web_search"}],
            },
            ["run_code"],
        ),
    ],
)
async def test_tool_choice(simulator: Simulator, tool_choice: object, called: list[str]) -> None:
    tools = [FUNCTION, CUSTOM, {"type": "web_search"}]
    whole = await response(simulator, ask_for(tools=tools, tool_choice=tool_choice))
    assert [item["name"] for item in output(whole) if "name" in item] == called


async def test_parallel_calls_may_be_off(simulator: Simulator) -> None:
    body = ask_for("[sim:twice] Hi.", tools=[FUNCTION, CUSTOM])
    assert kinds(await response(simulator, body)) == ["function_call", "custom_tool_call"]
    assert kinds(await response(simulator, body | {"parallel_tool_calls": False})) == ["function_call"]


async def test_the_same_request_has_the_same_calls_and_text(simulator: Simulator) -> None:
    body = ask_for("[sim:twice] Hi.", tools=[FUNCTION])
    first, second = [output(await response(simulator, body)) for _ in range(2)]
    assert [item["call_id"] for item in first] == [item["call_id"] for item in second]
    assert first[0]["id"] != second[0]["id"]
    assert text(await response(simulator, ask_for())) == text(await response(simulator, ask_for()))


async def test_a_script_sets_the_length(simulator: Simulator) -> None:
    assert tokens.count(text(await response(simulator, ask_for(), script={"tokens": 200}))) == 200


async def test_attachments_and_results_are_mentioned(simulator: Simulator) -> None:
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
        {"type": "input_file", "file_id": "file-1"},
    ]
    call = {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": [parts[0]]}
    asked = ask_for([{"role": "user", "content": parts}, call, result], tools=[FUNCTION])
    said = text(await response(simulator, asked))
    assert "You attached 1 image, 1 file." in said
    assert "The tool answered: “What is this?”." in said


def _order(found: list[Body]) -> list[str]:
    """The names of the events, each run of the same one once."""
    return [name for name, _ in groupby(map(named, found))]


def _told(item: Body) -> str:
    """What the deltas of an item tell."""
    match item["type"]:
        case "message":
            part = content(item)
            return str(part.get("text", part.get("refusal")))
        case "reasoning":
            assert isinstance(item["summary"], list)
            return "".join(part["text"] for part in item["summary"])
        case "web_search_call":
            return ""
        case _:
            return str(item.get("arguments", item.get("input")))


def _unnamed(response: Body) -> Body:
    """A response without what differs between equal ones."""

    def without(value: Body, *names: str) -> Body:
        return {key: item for key, item in value.items() if key not in names}

    items = [without(item, "id", "encrypted_content") for item in output(response)]
    return {**without(response, "id", "created_at", "completed_at"), "output": items}

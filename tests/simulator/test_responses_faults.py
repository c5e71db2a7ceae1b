"""Scripts work for responses as they do for chat."""

import asyncio
import json

import pytest
from simulator.responses import PATH, ask, ask_for, output, response, streamed, text
from simulator.wire import KEY, Body, connected, events

from tokenwire_server.simulator import ERRORS, Simulator, wait_closed

STREAM = ask_for(stream=True)
SHORT: Body = {"tokens": 4}
FLAT: Body = {"type": "error", "code": "server_error", "message": "Sorry.", "param": None}


def types(body: bytes) -> list[str]:
    return [json.loads(event.partition(b"data: ")[2])["type"] for event in events(body)]


@pytest.mark.parametrize("error", ERRORS)
async def test_named_errors(simulator: Simulator, error: str) -> None:
    answer = await ask(simulator, ask_for(), script={"error": error})
    assert answer.status >= 400
    assert answer.error["message"]


async def test_a_named_error_in_a_stream_is_nested_and_numbered(simulator: Simulator) -> None:
    answer = await ask(simulator, STREAM, script={"error_event": "rate_limit", "after": 2})
    assert answer.ended == "complete"
    assert types(answer.body)[-3:] == ["response.output_text.delta"] * 2 + ["error"]
    name, data = events(answer.body)[-1].split(b"\n")
    assert name == b"event: error"
    event = json.loads(data[6:])
    assert event["sequence_number"] == len(events(answer.body)) - 1
    assert event["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("event", [FLAT, {"type": "response.failed", "response": {"status": "failed"}}])
async def test_an_event_with_a_type_is_sent_as_it_is(simulator: Simulator, event: Body) -> None:
    answer = await ask(simulator, STREAM, script={"error_event": event, "after": 1})
    name, data = events(answer.body)[-1].split(b"\n")
    assert name == f"event: {event['type']}".encode()
    assert json.loads(data[6:]) == {**event, "sequence_number": 5}


@pytest.mark.parametrize(
    ("script", "missing"), [({"no_finish": True}, "response.completed"), ({"no_done": True}, "")]
)
async def test_streams_without_an_end(simulator: Simulator, script: Body, missing: str) -> None:
    whole = types((await ask(simulator, STREAM, script=SHORT)).body)
    answer = await ask(simulator, STREAM, script=script | SHORT)
    assert answer.ended == "complete"
    assert types(answer.body) == [name for name in whole if name != missing]


async def test_no_usage(simulator: Simulator) -> None:
    found = await streamed(simulator, ask_for(), script={"no_usage": True, **SHORT})
    last = found[-1]["response"]
    assert isinstance(last, dict)
    assert last["usage"] is None
    assert len(output(last)) == 1


@pytest.mark.parametrize("body", [ask_for(), STREAM])
@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_cuts(simulator: Simulator, body: Body, how: str) -> None:
    answer = await ask(simulator, body, script={"cut_at_byte": 300, "how": how})
    assert (answer.status, answer.ended) == (200, how)
    assert (await wait_closed(simulator.received[0])).outcome == "cut by script"


async def test_bad_events(simulator: Simulator) -> None:
    answer = await ask(simulator, STREAM, script={"bad_json_event": True, **SHORT, "after": 2})
    assert events(answer.body)[6] == b'data: {"x": nope}'
    assert b"response.completed" in events(answer.body)[-1]
    whole = await ask(simulator, ask_for(), script={"bad_json_event": True})
    assert whole.body == b'{"x": nope}'


async def test_silence_after_a_token(simulator: Simulator) -> None:
    """Comments keep the connection alive, and nothing else comes."""
    script = {"comments": 0.001, "after": 1}
    async with connected(simulator, STREAM, script=script, path=PATH, headers=KEY) as connection:
        await connection.read_head()
        async with asyncio.timeout(5):
            body = await connection.read_until(b": ping")
    assert body.count(b"output_text.delta") == 2  # in the event line and in the data


async def test_framing(simulator: Simulator) -> None:
    answer = await ask(simulator, STREAM, script={"framing": "crlf", **SHORT})
    assert answer.body.startswith(b"event: response.created\r\ndata: ")
    assert answer.body.endswith(b"\r\n\r\n")


async def test_scripts_are_for_a_path(simulator: Simulator) -> None:
    script = {"path": "/responses", "error": "overloaded"}
    assert (await ask(simulator, [script], path="/_sim/scripts")).status == 200
    assert (await ask(simulator, ask_for(), path="/v1/chat/completions")).status == 400
    assert (await ask(simulator, ask_for())).status == 503
    assert text(await response(simulator, ask_for()))

"""Each fault of a script, as its bytes on the wire."""

import asyncio
import json
import time

import pytest
from simulator.wire import CHAT, chat, connected, request

from tokenwire_server.simulator import Simulator, wait_closed

STREAM = chat(stream=True, stream_options={"include_usage": True, "include_obfuscation": False})
SHORT = {"tokens": 4}


def events(body: bytes) -> list[bytes]:
    assert body.endswith(b"\n\n")
    return body.split(b"\n\n")[:-1]


def finish_reasons(body: bytes) -> list[str]:
    found = [json.loads(event[6:]) for event in events(body) if event.startswith(b"data: {")]
    return [
        choice["finish_reason"] for chunk in found for choice in chunk["choices"] if choice["finish_reason"]
    ]


async def test_a_whole_stream(simulator: Simulator) -> None:
    answer = await request(simulator, STREAM, script=SHORT)
    assert answer.ended == "complete"
    assert len(events(answer.body)) == answer.pieces == 1 + 4 + 1 + 1 + 1
    assert events(answer.body)[-1] == b"data: [DONE]"
    assert finish_reasons(answer.body) == ["stop"]
    assert (await wait_closed(simulator.received[0])).outcome == "completed"
    assert simulator.received[0].sent == len(answer.body)


@pytest.mark.parametrize("body", [chat(), STREAM])
@pytest.mark.parametrize("script", [{"headers_delay": 0.05}, {"first_token_delay": 0.05}])
async def test_delays(simulator: Simulator, body: dict[str, object], script: dict[str, object]) -> None:
    began = time.monotonic()
    async with connected(simulator, body, script=script | SHORT) as connection:
        await connection.read_head()
        headers_after = time.monotonic() - began
        async for _ in connection.pieces():
            break
        assert time.monotonic() - began >= 0.05
    assert "headers_delay" not in script or headers_after >= 0.05


async def test_headers_come_before_the_first_token_delay(simulator: Simulator) -> None:
    async with connected(simulator, STREAM, script={"first_token_delay": 60}) as connection:
        await connection.read_head()
        assert connection.status == 200


async def test_gap_and_linger_take_their_time(simulator: Simulator) -> None:
    began = time.monotonic()
    await request(simulator, STREAM, script={"gap": 0.01, "linger": 0.03, **SHORT})
    assert time.monotonic() - began >= 7 * 0.01 + 0.03


@pytest.mark.parametrize("body", [chat(), STREAM])
@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("at", [0, 1, 300])
async def test_cuts(simulator: Simulator, body: dict[str, object], how: str, at: int) -> None:
    answer = await request(simulator, body, script={"cut_at_byte": at, "how": how})
    assert (answer.status, answer.ended) == (200, how)
    assert len(answer.body) == at or (how == "rst" and "content-length" in answer.headers)
    received = await wait_closed(simulator.received[0])
    assert (received.outcome, received.sent) == ("cut by script", at)


async def test_a_cut_beyond_the_end_is_none(simulator: Simulator) -> None:
    answer = await request(simulator, STREAM, script={"cut_at_byte": 1_000_000})
    assert answer.ended == "complete"


@pytest.mark.parametrize(
    ("script", "last", "reasons"),
    [
        ({"no_done": True}, b'"choices":[],"usage":{', ["stop"]),
        ({"no_usage": True}, b"data: [DONE]", ["stop"]),
        ({"no_finish": True}, b'"finish_reason":null', []),
    ],
)
async def test_streams_that_end_early(
    simulator: Simulator, script: dict[str, object], last: bytes, reasons: list[str]
) -> None:
    answer = await request(simulator, STREAM, script=script | SHORT)
    assert answer.ended == "complete"
    assert last in events(answer.body)[-1]
    assert finish_reasons(answer.body) == reasons


async def test_comments_for_ever(simulator: Simulator) -> None:
    async with connected(simulator, STREAM, script={"comments": 0.001, "after": 2}) as connection:
        await connection.read_head()
        body = b""
        async with asyncio.timeout(5):
            async for piece in connection.pieces():
                body += piece
                if body.count(b": ping\n\n") == 10:
                    break
    assert [event for event in events(body) if event != b": ping"] == events(body)[:3]


@pytest.mark.parametrize(("framing", "end"), [("lf", b"\n"), ("crlf", b"\r\n"), ("cr", b"\r")])
async def test_framing(simulator: Simulator, framing: str, end: bytes) -> None:
    plain = await request(simulator, STREAM, script=SHORT)
    framed = await request(simulator, STREAM, script={"framing": framing, **SHORT})
    lines = framed.body.split(end)
    assert len(lines) == len(plain.body.split(b"\n"))
    assert not any(b"\r" in line or b"\n" in line for line in lines)


@pytest.mark.parametrize("body", [chat(), STREAM])
async def test_pieces(simulator: Simulator, body: dict[str, object]) -> None:
    answer = await request(simulator, body, script={"split_bytes": 7, **SHORT})
    assert answer.ended == "complete"
    assert answer.pieces >= len(answer.body) // 7


@pytest.mark.parametrize(
    ("script", "event"),
    [
        ({"bad_json_event": True}, b'data: {"x": nope}'),
        ({"bad_utf8": True}, b'data: {"x": "\xff\xfe"}'),
        ({"wrong_shape": "list"}, b"data: [1,2]"),
    ],
)
async def test_bad_events(simulator: Simulator, script: dict[str, object], event: bytes) -> None:
    answer = await request(simulator, STREAM, script={**script, **SHORT, "after": 2})
    assert events(answer.body)[3] == event
    assert events(answer.body)[-1] == b"data: [DONE]"
    whole = await request(simulator, chat(), script=script)
    assert whole.body == event.removeprefix(b"data: ")


@pytest.mark.parametrize("shape", ["null_choices", "empty_choices", "no_delta"])
async def test_wrong_shapes_are_json(simulator: Simulator, shape: str) -> None:
    answer = await request(simulator, chat(), script={"wrong_shape": shape})
    assert answer.json["object"] == "chat.completion.chunk"


@pytest.mark.parametrize("error", ["server_error", {"error": {"message": "no", "code": "x"}}])
async def test_an_error_event_is_the_last(simulator: Simulator, error: object) -> None:
    answer = await request(simulator, STREAM, script={"error_event": error, "after": 1})
    assert (answer.status, answer.ended) == (200, "complete")
    assert len(events(answer.body)) == 3
    assert json.loads(events(answer.body)[-1][6:]).keys() == {"error"}


async def test_faults_of_short_answers_still_come(simulator: Simulator) -> None:
    answer = await request(simulator, STREAM, script={"bad_utf8": True, "after": 100, "tokens": 1})
    assert b"\xff\xfe" in answer.body


async def test_a_captive_portal(simulator: Simulator) -> None:
    answer = await request(simulator, STREAM, script={"raw": "<html>Log in</html>"})
    assert (answer.status, answer.body) == (200, b"<html>Log in</html>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "x-request-id" not in answer.headers


async def test_a_raw_stream_and_a_redirect(simulator: Simulator) -> None:
    script = {"raw": "data: {}\n\n", "content_type": "text/event-stream", "split_bytes": 3}
    answer = await request(simulator, STREAM, script=script)
    assert (answer.body, answer.pieces) == (b"data: {}\n\n", 4)
    moved = await request(
        simulator, chat(), script={"raw": "", "status": 307, "headers": {"location": "/v2"}}
    )
    assert (moved.status, moved.headers["location"]) == (307, "/v2")


@pytest.mark.parametrize("value", ["1", "Wed, 21 Oct 2015 07:28:00 GMT", "86400", "nan", "-1"])
async def test_retry_after_in_every_form(simulator: Simulator, value: str) -> None:
    script = {"error": "rate_limit", "headers": {"retry-after": value, "retry-after-ms": "1000"}}
    answer = await request(simulator, chat(), script=script, path=CHAT)
    assert (answer.status, answer.headers["retry-after"]) == (429, value)
    bare = await request(simulator, chat(), script={"error": "rate_limit", "headers": {"retry-after": None}})
    assert "retry-after" not in bare.headers

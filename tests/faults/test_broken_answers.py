"""Answers that break off, and answers that are none."""

import pytest
from support.ask import ask
from support.gateway import SECONDS, Gateway
from support.quiet import assert_settled, tasks
from support.status import Failure, collect, failure
from support.stream import whole

from tokenwire_server.simulator import Script

CANARY = "canary-of-the-providers-text"
RPCS = ("Chat", "ChatStream")


async def fails(gateway: Gateway, rpc: str) -> Failure:
    if rpc == "Chat":
        return await failure(gateway.stub.Chat(ask(), timeout=SECONDS))
    return await failure(collect(gateway.stub.ChatStream(ask(), timeout=SECONDS)))


TRUNCATED = {
    "fin": Script(cut_at_byte=900),
    "rst": Script(cut_at_byte=900, how="rst"),
    "fin after the headers": Script(cut_at_byte=0),
    "rst after the headers": Script(cut_at_byte=0, how="rst"),
    "cut inside an event": Script(cut_at_byte=333),
    "no terminal marker": Script(no_finish=True),
    "no terminal marker, no content": Script(no_finish=True, tokens=0),
    "an empty body": Script(raw="", content_type="text/event-stream"),
    "comments alone": Script(raw=": hi\n\n: there\n\n", content_type="text/event-stream"),
    "[DONE] alone": Script(raw="data: [DONE]\n\n", content_type="text/event-stream"),
}


@pytest.mark.parametrize("name", TRUNCATED)
async def test_a_stream_that_ends_too_early_never_succeeds(gateway: Gateway, name: str) -> None:
    gateway.simulator.script(TRUNCATED[name])
    before = tasks()
    failed = await fails(gateway, "ChatStream")
    assert (failed.code, failed.reason) == ("UNAVAILABLE", "STREAM_TRUNCATED")
    begun = "output_tokens" in failed.info.metadata  # then the caller's library tries nothing again by itself
    assert failed.trailers.get("grpc-retry-pushback-ms") == (None if begun else "-1")
    await assert_settled(gateway, before, ("ChatStream", "UNAVAILABLE", "STREAM_TRUNCATED"))


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_a_body_that_is_cut_is_truncated(gateway: Gateway, how: str) -> None:
    gateway.simulator.script(Script(cut_at_byte=150, how="fin" if how == "fin" else "rst"))
    failed = await fails(gateway, "Chat")
    assert (failed.code, failed.reason) == ("UNAVAILABLE", "STREAM_TRUNCATED")


HTML = f"<html><body>Sign in, {CANARY}</body></html>"
BAD = {
    "html": Script(raw=HTML),
    "html as events": Script(raw=HTML + "\n\n", content_type="application/json"),
    "bad JSON": Script(bad_json_event=True),
    "a list": Script(wrong_shape="list"),
    "no choices": Script(wrong_shape="null_choices"),
    "no delta": Script(wrong_shape="no_delta"),
    "a redirect": Script(status=307, raw=HTML, headers={"location": "http://127.0.0.1:1/elsewhere"}),
    "no content": Script(status=204, raw=""),
    "an odd success": Script(status=299, raw=HTML),
}


@pytest.mark.parametrize("rpc", RPCS)
@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_answer_is_a_bad_response(gateway: Gateway, rpc: str, name: str) -> None:
    gateway.simulator.script(BAD[name])
    before = tasks()
    failed = await fails(gateway, rpc)
    assert (failed.code, failed.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert CANARY not in failed.everything
    assert len(gateway.simulator.received) == 1, "a redirect was followed"
    await assert_settled(gateway, before, (rpc, "INTERNAL", "PROVIDER_BAD_RESPONSE"))


WRONG = {
    "null": "null",
    "text": '"hello"',
    "no choices": "{}",
    "empty choices": '{"choices":[]}',
    "a choice that is none": '{"choices":[3]}',
    "content of a wrong type": '{"choices":[{"index":0,"message":{"content":[1]},"finish_reason":"stop"}]}',
    "an index of a wrong type": '{"choices":[{"index":"a","message":{"content":"b"},"finish_reason":"c"}]}',
    "counts of a wrong type": (
        '{"usage":{"prompt_tokens":"x"},'
        '"choices":[{"index":0,"message":{"content":"b"},"finish_reason":"stop"}]}'
    ),
    "an empty body": "",
    "endless nesting": "[" * 100_000,
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_body_of_the_wrong_shape_is_a_bad_response(gateway: Gateway, name: str) -> None:
    gateway.simulator.script(Script(raw=WRONG[name], content_type="application/json"))
    failed = await fails(gateway, "Chat")
    assert (failed.code, failed.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")


@pytest.mark.parametrize("name", [name for name in WRONG if name not in {"an empty body", "no choices"}])
async def test_an_event_of_the_wrong_shape_is_a_bad_response(gateway: Gateway, name: str) -> None:
    event = WRONG[name].replace('"message"', '"delta"')
    if name == "empty choices":
        event = event.replace("[]", "[{}]")  # an event with no choices is an ordinary one
    gateway.simulator.script(Script(raw=f"data: {event}\n\n", content_type="text/event-stream"))
    failed = await fails(gateway, "ChatStream")
    assert (failed.code, failed.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")


async def test_done_ends_a_stream_whose_body_lingers(gateway: Gateway) -> None:
    gateway.simulator.script(Script(linger=60))
    events = await collect(gateway.stub.ChatStream(ask(), timeout=SECONDS / 2))
    assert whole(events).choices[0].message.text


BAD_UTF8 = b'"caf\xe9 \xff\xfe!"'.decode("utf-8", "surrogateescape")


async def test_bad_utf8_in_a_body_is_replaced(gateway: Gateway) -> None:
    message = '{"content":' + BAD_UTF8 + "}"
    body = '{"id":"c","choices":[{"index":0,"finish_reason":"stop","message":' + message + "}]}"
    gateway.simulator.script(Script(raw=body, content_type="application/json"))
    reply = await gateway.stub.Chat(ask())
    assert reply.choices[0].message.text == "caf� ��!"


async def test_bad_utf8_and_lone_surrogates_in_a_stream_are_replaced(gateway: Gateway) -> None:
    head = 'data: {"id":"c","choices":[{"index":0,"delta":{"content":'
    stream = f'{head}{BAD_UTF8}}}}}]}}\n\n{head}" \\ud800!"}},"finish_reason":"stop"}}]}}\n\ndata: [DONE]\n\n'
    gateway.simulator.script(Script(raw=stream, content_type="text/event-stream"))
    response = whole(await collect(gateway.stub.ChatStream(ask())))
    assert response.choices[0].message.text == "caf� ��! �!"


@pytest.mark.parametrize("framing", ["lf", "crlf", "cr"])
async def test_a_stream_in_single_bytes_is_the_same(gateway: Gateway, framing: str) -> None:
    plain = whole(await collect(gateway.stub.ChatStream(ask())))
    ends = {"lf": Script(split_bytes=1), "crlf": Script(split_bytes=1, framing="crlf")}
    gateway.simulator.script(ends.get(framing, Script(split_bytes=1, framing="cr")))
    split = whole(await collect(gateway.stub.ChatStream(ask())))
    assert split.choices == plain.choices

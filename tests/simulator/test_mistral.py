"""What the simulated Mistral puts on the wire."""

import re

import pytest
from simulator.mistral import CHAT, FUNCTION, ask, chat
from simulator.wire import KEY, Body, chunks, events, request

from tokenwire_server.simulator import MISTRAL_ERRORS, Script, Simulator, tokens, wait_closed

STREAM = chat(stream=True)
THINKING = chat(stream=True, reasoning_effort="minimal")


def choice(body: Body) -> Body:
    choices = body["choices"]
    assert isinstance(choices, list)
    found: Body = choices[0]
    return found


def message(body: Body) -> Body:
    found = choice(body)["message"]
    assert isinstance(found, dict)
    return found


def deltas(body: bytes) -> list[Body]:
    found = [choice(chunk)["delta"] for chunk in chunks(body)]
    return [delta for delta in found if isinstance(delta, dict)]


async def test_a_plain_answer(simulator: Simulator) -> None:
    answer = await ask(simulator, chat("[sim:echo] Hi"))
    assert re.fullmatch(r"[0-9a-f]{32}", str(answer.json["id"]))
    assert choice(answer.json) == {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "tool_calls": None, "content": "Hi"},
    }
    assert answer.headers["mistral-correlation-id"] == answer.headers["x-kong-request-id"]
    used = answer.json["usage"]
    assert isinstance(used, dict)
    left = int(answer.headers["x-ratelimit-remaining-tokens-minute"])
    assert left + used["total_tokens"] == int(answer.headers["x-ratelimit-limit-tokens-minute"])


async def test_a_plain_stream(simulator: Simulator) -> None:
    answer = await ask(simulator, chat("[sim:echo] Hi you", stream=True))
    assert events(answer.body)[-1] == b"data: [DONE]"
    assert deltas(answer.body) == [
        {"role": "assistant", "content": ""},
        {"content": "Hi"},
        {"content": " you"},
        {"content": ""},
    ]
    last = chunks(answer.body)[-1]
    assert choice(last)["finish_reason"] == "stop"
    assert last.keys() - chunks(answer.body)[0].keys() == {"usage"}


async def test_thinking_turns_into_text_in_one_chunk(simulator: Simulator) -> None:
    answer = await ask(simulator, THINKING)
    contents = [delta["content"] for delta in deltas(answer.body)]
    kinds = ["+".join(part["type"] for part in item) if isinstance(item, list) else "" for item in contents]
    assert kinds.count("thinking") == 15
    assert kinds.count("thinking+text") == 1
    assert kinds.index("thinking+text") == 16
    assert set(kinds[17:]) == {""}
    turn = contents[16]
    assert isinstance(turn, list)
    assert turn[0]["closed"] is True


@pytest.mark.parametrize(
    ("body", "thinks"),
    [
        (chat(), False),
        (chat(prompt_mode="reasoning"), True),
        (chat(reasoning_effort="high"), True),
        (chat(model="magistral-medium-latest"), True),
        (chat(model="magistral-small-latest", reasoning_effort="none"), False),
    ],
)
async def test_who_thinks(simulator: Simulator, body: Body, thinks: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    assert isinstance(message((await ask(simulator, body)).json)["content"], list) == thinks


async def test_thinking_that_the_limit_cuts_is_not_closed(simulator: Simulator) -> None:
    answer = await ask(simulator, chat(reasoning_effort="low", max_tokens=20))
    assert choice(answer.json)["finish_reason"] == "length"
    content = message(answer.json)["content"]
    assert isinstance(content, list)
    assert [(part["type"], part["closed"]) for part in content] == [("thinking", False)]


@pytest.mark.parametrize(
    ("body", "finish"),
    [
        (chat(max_tokens=3), "length"),
        (chat("[sim:error] Hi"), "error"),
        (chat("[sim:window] Hi", tools=[FUNCTION]), "model_length"),
        (chat("[sim:filter] Hi"), "stop"),
        (chat(tools=[FUNCTION]), "tool_calls"),
        (chat(tools=[FUNCTION], tool_choice="none"), "stop"),
        (chat(tools=[FUNCTION], tool_choice="any"), "tool_calls"),
        (chat("[sim:text] Hi", tools=[FUNCTION], tool_choice="required"), "tool_calls"),
        (
            chat(tools=[FUNCTION], tool_choice={"type": "function", "function": {"name": "look_up"}}),
            "tool_calls",
        ),
    ],
)
async def test_finish_reasons(simulator: Simulator, body: Body, finish: str) -> None:
    assert choice((await ask(simulator, body)).json)["finish_reason"] == finish
    streamed = await ask(simulator, body | {"stream": True})
    assert choice(chunks(streamed.body)[-1])["finish_reason"] == finish


async def test_a_prefix_begins_the_answer(simulator: Simulator) -> None:
    begun: Body = {"role": "assistant", "content": "Once upon", "prefix": True}
    body = chat(messages=[{"role": "user", "content": "A tale."}, begun])
    assert str(message((await ask(simulator, body)).json)["content"]).startswith("Once uponThis is")


async def test_chunks_of_all_kinds_are_accepted(simulator: Simulator) -> None:
    parts: list[Body] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
        {"type": "document_url", "document_url": "https://example.com/a.pdf", "document_name": None},
        {"type": "file", "file_id": "b6a3"},
        {"type": "reference", "reference_ids": [1, "a"]},
    ]
    answer = await ask(simulator, chat(messages=[{"role": "user", "content": parts}]))
    assert "You attached 2 images, 2 files." in str(message(answer.json)["content"])


async def test_a_refused_key_and_a_missing_one(simulator: Simulator) -> None:
    for headers in ({}, {"authorization": "Bearer sk-invalid"}):
        answer = await ask(simulator, chat(), headers=headers)
        assert (answer.status, answer.json) == (401, {"detail": "Unauthorized"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", CHAT, 405), ("POST", "/mistral/v1/none", 404), ("GET", "/mistral/v1/models/none", 404)],
)
async def test_what_is_not_there(simulator: Simulator, method: str, path: str, status: int) -> None:
    assert (await request(simulator, method=method, path=path, headers=KEY)).status == status


@pytest.mark.parametrize("name", MISTRAL_ERRORS)
async def test_named_errors_are_filled_in(simulator: Simulator, name: str) -> None:
    answer = await ask(simulator, chat(), script={"error": name})
    assert answer.status >= 400
    assert b"{model}" not in answer.body
    assert b"{request}" not in answer.body


async def test_names_of_the_other_dialect_are_unknown(simulator: Simulator) -> None:
    answer = await ask(simulator, chat(), script={"error": "insufficient_quota"})
    assert (answer.status, answer.error["type"]) == (400, "simulator_error")


# Scripts


@pytest.mark.parametrize("status", [400, 401, 404, 408, 418, 429, 500, 502, 503, 504])
async def test_a_status_alone_has_an_error(simulator: Simulator, status: int) -> None:
    answer = await ask(simulator, chat(), script={"status": status})
    assert answer.status == status
    assert answer.json.keys() & {"detail", "message"}


async def test_an_error_event_is_the_last(simulator: Simulator) -> None:
    answer = await ask(simulator, STREAM, script={"error_event": "rate_limit", "after": 2})
    assert len(events(answer.body)) == 4
    assert chunks(answer.body)[-1]["code"] == "1300"


@pytest.mark.parametrize(
    ("script", "usage", "finish", "done"),
    [
        ({"no_usage": True}, False, True, True),
        ({"no_finish": True}, False, False, False),
        ({"no_done": True}, True, True, False),
    ],
)
async def test_streams_that_leave_something_out(
    simulator: Simulator,
    script: Body,
    usage: bool,  # noqa: FBT001 (a parameter of the test)
    finish: bool,  # noqa: FBT001 (a parameter of the test)
    done: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    answer = await ask(simulator, STREAM, script={**script, "tokens": 4})
    assert (b'"usage"' in answer.body) == usage
    assert (b'"finish_reason":"stop"' in answer.body) == finish
    assert (b"[DONE]" in answer.body) == done


@pytest.mark.parametrize("body", [STREAM, THINKING, chat()])
@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_cuts(simulator: Simulator, body: Body, how: str) -> None:
    answer = await ask(simulator, body, script={"cut_at_byte": 200, "how": how})
    assert answer.ended == how
    assert (await wait_closed(simulator.received[0])).outcome == "cut by script"


async def test_framing_pieces_pace_and_length(simulator: Simulator) -> None:
    script = {"framing": "crlf", "split_bytes": 9, "tokens": 6, "gap": 0.001, "bad_json_event": True}
    answer = await ask(simulator, STREAM, script=script)
    assert answer.body.count(b"\r\n\r\n") == 1 + 6 + 1 + 1 + 1
    assert b'data: {"x": nope}\r\n' in answer.body


async def test_a_queued_script_matches_model_and_path(simulator: Simulator) -> None:
    simulator.script(Script(status=503, match="mistral-small-latest", path="/chat/completions"))
    assert [(await ask(simulator, chat())).status for _ in range(2)] == [503, 200]


async def test_the_same_request_has_the_same_answer(simulator: Simulator) -> None:
    first, second = [(await ask(simulator, chat(n=2, logprobs=True))).json for _ in range(2)]
    assert first["choices"] == second["choices"]
    assert first["id"] != second["id"]


async def test_limits_and_stop_texts(simulator: Simulator) -> None:
    answer = await ask(simulator, chat("[sim:echo] one two three", stop="three", max_tokens=2.0))
    assert message(answer.json)["content"] == "".join(tokens.split("one two")[:2])

"""What the answers are: deterministic, within the limits, as the markers and parameters ask."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator.wire import Body, chat, request

from tokenwire_server.simulator import Simulator, tokens

FUNCTION = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}
CUSTOM = {"type": "custom", "custom": {"name": "run_code"}}


@pytest.fixture
def ask(simulator: Simulator) -> "Ask":
    return Ask(simulator)


class Ask:
    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    async def whole(self, body: Body, script: object = None) -> Body:
        answer = await request(self.simulator, body, script=script)
        assert answer.status == 200, answer.body
        return answer.json

    async def __call__(self, body: Body, script: object = None) -> Body:
        """The first choice."""
        choices = (await self.whole(body, script))["choices"]
        assert isinstance(choices, list)
        choice: Body = choices[0]
        return choice

    async def message(self, body: Body, script: object = None) -> Body:
        message = (await self(body, script))["message"]
        assert isinstance(message, dict)
        return message

    async def text(self, body: Body, script: object = None) -> str:
        text = (await self.message(body, script))["content"]
        assert isinstance(text, str)
        return text

    async def called(self, body: Body) -> list[str]:
        calls = (await self.message(body)).get("tool_calls", [])
        assert isinstance(calls, list)
        return [call[call["type"]]["name"] for call in calls]


@given(st.text())
def test_tokens_lose_nothing(text: str) -> None:
    assert "".join(tokens.split(text)) == text
    assert len(tokens.split(text)) == tokens.count(text)


async def test_the_same_request_has_the_same_answer(ask: Ask) -> None:
    first, second = [await ask.whole(chat(n=3, logprobs=True, top_logprobs=2)) for _ in range(2)]
    assert first.pop("id") != second.pop("id")
    first.pop("created"), second.pop("created")
    assert first == second
    assert await ask.text(chat("Another thing.")) != await ask.text(chat())


async def test_choices_differ(ask: Ask) -> None:
    choices = (await ask.whole(chat(n=20)))["choices"]
    assert isinstance(choices, list)
    assert len({choice["message"]["content"] for choice in choices}) == 20


@pytest.mark.parametrize("limit", [{"max_tokens": 5}, {"max_completion_tokens": 5}])
async def test_limits(ask: Ask, limit: Body) -> None:
    choice = await ask(chat() | limit)
    assert choice["finish_reason"] == "length"
    whole = await ask.text(chat())
    assert await ask.text(chat() | limit) == "".join(tokens.split(whole)[:5])


async def test_limits_cut_arguments(ask: Ask) -> None:
    choice = await ask(chat(tools=[FUNCTION], max_tokens=3))
    assert choice["finish_reason"] == "length"


async def test_stop_texts(ask: Ask) -> None:
    choice = await ask(chat("[sim:echo] one two three", stop=["three", "two"]))
    assert choice["message"] == {"role": "assistant", "content": "one ", "refusal": None, "annotations": []}
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize("length", [0, 1, 500])
async def test_a_script_sets_the_length(ask: Ask, length: int) -> None:
    assert len(tokens.split(await ask.text(chat(), {"tokens": length}))) == length


async def test_a_content_filter_stops_half_way(ask: Ask) -> None:
    choice = await ask(chat("[sim:filter] Tell me.", tools=[FUNCTION]))
    assert choice["finish_reason"] == "content_filter"


async def test_logprobs(ask: Ask) -> None:
    choice = await ask(chat("[sim:echo] Ünïcode", logprobs=True, top_logprobs=3))
    logprobs = choice["logprobs"]
    assert isinstance(logprobs, dict)
    assert logprobs["refusal"] is None
    first = logprobs["content"][0]
    assert bytes(first["bytes"]).decode() == first["token"] == "Ünïc"
    assert first["top_logprobs"][0]["token"] == first["token"]
    scores = [top["logprob"] for top in first["top_logprobs"]]
    assert len(scores) == 3
    assert sorted(scores, reverse=True) == scores
    assert first["logprob"] == scores[0] < 0


async def test_json_mode(ask: Ask) -> None:
    text = await ask.text(chat("In JSON, please.", response_format={"type": "json_object"}))
    assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize(
    ("tool_choice", "expected"),
    [
        (None, ["look_up"]),
        ("auto", ["look_up"]),
        ("none", []),
        ("required", ["look_up"]),
        ({"type": "function", "function": {"name": "look_up"}}, ["look_up"]),
        ({"type": "custom", "custom": {"name": "run_code"}}, ["run_code"]),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "custom", "custom": {"name": "run_code"}}],
                },
            },
            ["run_code"],
        ),
    ],
)
async def test_tool_choice(ask: Ask, tool_choice: object, expected: list[str]) -> None:
    assert await ask.called(chat(tools=[FUNCTION, CUSTOM], tool_choice=tool_choice)) == expected


@pytest.mark.parametrize(("tool_choice", "expected"), [("auto", []), ("required", ["look_up"])])
async def test_text_marker(ask: Ask, tool_choice: str, expected: list[str]) -> None:
    assert await ask.called(chat("[sim:text] Hi.", tools=[FUNCTION], tool_choice=tool_choice)) == expected


async def test_two_calls_unless_parallel_calls_are_off(ask: Ask) -> None:
    asked = chat("[sim:twice] Hi.", tools=[FUNCTION, CUSTOM])
    assert await ask.called(asked) == ["look_up", "run_code"]
    assert await ask.called(asked | {"parallel_tool_calls": False}) == ["look_up"]


async def test_attachments_are_mentioned(ask: Ask) -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    body: Body = {"model": "gpt-4o", "messages": [{"role": "user", "content": parts}]}
    assert "You attached 1 image, 1 file." in await ask.text(body)


async def test_reasoning_is_counted_and_spends_the_limit(ask: Ask) -> None:
    body = chat(model="gpt-5", reasoning_effort="low")
    usage = (await ask.whole(body))["usage"]
    assert isinstance(usage, dict)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 64
    choice = await ask(body | {"max_completion_tokens": 60})
    assert choice["finish_reason"] == "length"
    assert choice["message"] == {"role": "assistant", "content": "", "refusal": None, "annotations": []}


@pytest.mark.parametrize(("model", "tier"), [("gpt-4o", "flex"), ("gpt-5.2", "flex")])
async def test_service_tier(ask: Ask, model: str, tier: str) -> None:
    assert (await ask.whole(chat(model=model, service_tier=tier)))["service_tier"] == tier


async def test_streamed_custom_calls_join_to_the_whole(ask: Ask) -> None:
    body = chat(tools=[CUSTOM])
    streamed = await request(ask.simulator, body | {"stream": True})
    chunks = [json.loads(event[6:]) for event in streamed.body.split(b"\n\n") if event.startswith(b"data: {")]
    deltas = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert deltas[0]["custom"] == {"name": "run_code", "input": ""}
    joined = "".join(delta["custom"]["input"] for delta in deltas)
    assert (await ask.message(body))["tool_calls"] == [
        {"id": deltas[0]["id"], "type": "custom", "custom": {"name": "run_code", "input": joined}}
    ]

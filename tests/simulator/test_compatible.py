"""The habits of compatible servers, as they are on the wire."""

import json
from typing import Any

import pytest
from openai import AsyncOpenAI
from simulator.compatible import (
    FUNCTION,
    LOCAL,
    MODELS,
    OTHERS,
    USAGE,
    ask,
    ask_for,
    choices,
    deltas,
    finishes,
    message,
    streamed,
)
from simulator.wire import Body, Headers, events

from tokenwire_server.simulator import NOT_SIMULATED, Simulator


def test_unknown_servers_are_named(simulator: Simulator) -> None:
    assert simulator.compatible_url("vllm") == simulator.url.replace("/v1", "/compatible/vllm/v1")
    with pytest.raises(ValueError, match="no compatible server 'bard'; there are vllm, "):
        simulator.compatible_url("bard")


@pytest.mark.parametrize("name", OTHERS)
async def test_openais_sdk_reads_them(simulator: Simulator, name: str) -> None:
    async with AsyncOpenAI(api_key="k", base_url=simulator.compatible_url(name), max_retries=0) as sdk:
        model = MODELS.get(name, "any")
        whole = await sdk.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "[sim:echo] Hello there"}]
        )
        stream = await sdk.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "[sim:echo] Hello there"}], stream=True
        )
        text = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        listed = [card.id async for card in sdk.models.list()]
        assert (await sdk.models.retrieve(listed[0])).id == listed[0]
    assert "".join(text) == whole.choices[0].message.content == "Hello there"


@pytest.mark.parametrize("name", OTHERS)
async def test_the_stream_says_what_the_whole_answer_says(simulator: Simulator, name: str) -> None:
    field = "reasoning_content" if name in {"vllm", "llamacpp", "deepseek"} else "reasoning"
    whole = message(await ask(simulator, name, ask_for(name, reasoning_effort="high")))
    answer = await ask(simulator, name, ask_for(name, reasoning_effort="high", stream=True))
    for key in ("content", field):
        joined = "".join(str(delta.get(key) or "") for delta in deltas(name, answer))
        assert joined == whole[key] != ""
    assert ("reasoning_details" in whole) == (name == "openrouter")


@pytest.mark.parametrize(
    ("name", "index", "begin", "pieces"),
    [
        ("vllm", True, "chatcmpl-tool-", True),
        ("ollama", False, "call_", False),
        ("llamacpp", True, "", True),
        ("groq", True, "fc_", False),
        ("deepseek", True, "call_00_", True),
        ("openrouter", True, "toolu_", True),
        ("odd", False, None, False),
    ],
)
async def test_tool_calls(
    simulator: Simulator,
    name: str,
    index: bool,  # noqa: FBT001 (a parameter of the test)
    begin: str | None,
    pieces: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    body = ask_for(name, tools=[FUNCTION], tool_choice="required")
    answer = await ask(simulator, name, body | {"stream": True})
    calls = [call for delta in deltas(name, answer) for call in _listed(delta.get("tool_calls"))]
    assert all(("index" in call) == index for call in calls)
    assert (len(calls) > 1) == pieces
    made = calls[0].get("id")
    assert made == begin if not begin else str(made).startswith(begin)
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(arguments).keys() == {"a"}
    whole = message(await ask(simulator, name, body))
    (called,) = _listed(whole["tool_calls"])
    assert called["function"] == {"name": "look_up", "arguments": arguments}
    assert finishes(name, answer)[-1] == "tool_calls"


def _listed(value: object) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else []


@pytest.mark.parametrize("name", OTHERS)
async def test_a_tool_turn_goes_round(simulator: Simulator, name: str) -> None:
    asked = ask_for(name, tools=[FUNCTION])
    first = message(await ask(simulator, name, asked))
    (call,) = _listed(first["tool_calls"])
    result = {"role": "tool", "content": "sunny", "tool_call_id": call.get("id", "")}
    history = asked["messages"]
    assert isinstance(history, list)
    if name == "groq":  # which refuses what it does not know
        first = {key: first[key] for key in ("role", "content", "reasoning", "tool_calls")}
    answer = await ask(simulator, name, asked | {"messages": [*history, first, result]})
    assert "sunny" in str(message(answer)["content"])


@pytest.mark.parametrize(
    ("name", "plain", "asked", "where"),
    [
        ("vllm", 0, 1, "last"),
        ("ollama", 0, 1, "last"),
        ("llamacpp", 0, 1, "last"),
        ("groq", 1, 1, "x_groq"),
        ("deepseek", 1, 1, "finish"),
        ("openrouter", 1, 1, "choice"),
        ("odd", 0, 0, ""),
    ],
)
async def test_usage(simulator: Simulator, name: str, plain: int, asked: int, where: str) -> None:
    body = ask_for(name)
    without = await ask(simulator, name, body | {"stream": True})
    answer = await ask(simulator, name, body | USAGE)
    assert without.body.count(b'"usage"') == plain
    assert answer.body.count(b'"usage"') == asked
    assert ("usage" in (await ask(simulator, name, body)).json) == (name != "odd")
    last = streamed(name, answer)[-1]
    found = {"last": last, "choice": last, "finish": last, "x_groq": last.get("x_groq"), "": {"usage": 0}}
    inner = found[where]
    assert isinstance(inner, dict)
    assert "usage" in inner
    assert bool(choices(last)) == (where != "last")
    dropped = await ask(simulator, name, body | USAGE, script={"no_usage": True})
    assert b'"usage"' not in dropped.body


async def test_framing(simulator: Simulator) -> None:
    odd = await ask(simulator, "odd", ask_for("odd", stream=True))
    assert b"[DONE]" not in odd.body
    assert odd.body.count(b"\r\n") == odd.body.count(b"\n")
    assert finishes("odd", odd) == [*[""] * (len(streamed("odd", odd)) - 1), "eos"]
    router = events((await ask(simulator, "openrouter", ask_for("openrouter", stream=True))).body)
    assert router[0] == router[2] == b": OPENROUTER PROCESSING"
    assert router[-1] == b"data: [DONE]"


async def test_delta_shapes(simulator: Simulator) -> None:
    """The shapes of recorded streams, and Ollama's of its documents."""
    seen = {
        name: deltas(name, await ask(simulator, name, ask_for(name, stream=True)))
        for name in ("deepseek", "groq", "openrouter", "ollama", "vllm")
    }
    assert seen["deepseek"][0] == {"role": "assistant", "content": None, "reasoning_content": ""}
    assert seen["deepseek"][1].keys() == {"content", "reasoning_content"}
    assert seen["deepseek"][1]["content"] is None
    assert seen["deepseek"][-1] == {"content": "", "reasoning_content": None}
    assert seen["groq"][0] == {"role": "assistant", "content": ""}
    assert seen["groq"][-1] == {}
    assert all(delta["role"] == "assistant" for delta in seen["openrouter"] + seen["ollama"])
    assert seen["openrouter"][1].keys() == {"role", "content", "reasoning", "reasoning_details"}
    assert seen["vllm"][1].keys() == {"reasoning_content"}


async def test_groq_puts_raw_reasoning_into_the_text(simulator: Simulator) -> None:
    raw = message(await ask(simulator, "groq", ask_for("groq", reasoning_format="raw")))
    assert str(raw["content"]).startswith("<think>\nThe user wrote")
    assert "reasoning" not in raw
    hidden = message(await ask(simulator, "groq", ask_for("groq", reasoning_format="hidden")))
    assert str(raw["content"]).endswith(f"</think>\n\n{hidden['content']}")


@pytest.mark.parametrize(
    ("name", "extra", "reasons"),
    [
        ("openrouter", {"reasoning": {"effort": "high"}}, True),
        ("openrouter", {"reasoning": {"enabled": False}}, False),
        ("vllm", {"chat_template_kwargs": {"enable_thinking": True}}, True),
        ("deepseek", {"model": "deepseek-chat", "thinking": {"type": "enabled"}}, True),
        ("deepseek", {"model": "deepseek-chat"}, False),
        ("groq", {"reasoning_effort": "none"}, False),
        ("groq", {"reasoning_effort": "default"}, True),
        ("ollama", {"reasoning_effort": "low"}, True),
    ],
)
async def test_who_reasons(simulator: Simulator, name: str, extra: Body, reasons: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    usual = {"openrouter": "x/y", "vllm": "x", "ollama": "x"}
    body = ask_for(name) | {"model": usual.get(name, MODELS.get(name)), **extra}
    found = message(await ask(simulator, name, body))
    assert bool(found.keys() & {"reasoning", "reasoning_content"}) == reasons


@pytest.mark.parametrize("name", LOCAL)
async def test_local_servers_ask_for_no_key_and_take_any_model(simulator: Simulator, name: str) -> None:
    assert (await ask(simulator, name, ask_for(name), headers={})).status == 200
    bare = {key: value for key, value in ask_for(name).items() if key != "model"}
    assert (await ask(simulator, name, bare)).status == 200


@pytest.mark.parametrize("name", ["groq", "deepseek", "openrouter", "azure"])
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk-invalid"}])
async def test_the_others_ask_for_a_key(simulator: Simulator, name: str, headers: Headers) -> None:
    answer = await ask(simulator, name, ask_for(name), headers=headers)
    assert answer.status == 401
    assert answer.error["message"]


@pytest.mark.parametrize(("name", "status"), [("groq", 404), ("deepseek", 400), ("azure", 404)])
async def test_models_that_they_do_not_have(simulator: Simulator, name: str, status: int) -> None:
    assert (await ask(simulator, name, ask_for(name, model="imagined"))).status == status


@pytest.mark.parametrize("name", OTHERS)
async def test_unknown_fields(simulator: Simulator, name: str) -> None:
    answer = await ask(simulator, name, ask_for(name, imagined=1))
    assert answer.status == (400 if name == "groq" else 200)
    if name == "groq":
        assert answer.error["message"] == "property 'imagined' is unsupported"
    asked: Body = {"role": "user", "content": "Hi", "cache_control": {}}
    answer = await ask(simulator, name, ask_for(name, messages=[asked]))
    assert answer.status == (400 if name == "groq" else 200)


@pytest.mark.parametrize("name", OTHERS)
async def test_they_are_more_patient_than_openai(simulator: Simulator, name: str) -> None:
    """Nothing of this is refused: OpenAI refuses each."""
    strict = {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": {}}}
    part = {"type": "text", "text": "Hi", "image_url": None}
    for body in (
        ask_for(name, tool_choice="auto", top_logprobs=1, stream_options={}, max_tokens=1_000_000),
        ask_for(name, max_tokens=5, max_completion_tokens=5),
        ask_for(name, response_format={"type": "json_object"}),
        ask_for(name, response_format=strict),
        ask_for(name, messages=[{"role": "user", "content": [part]}]),
        ask_for(name, messages=[{"role": "assistant"}, {"role": "user", "content": "Hi"}]),
    ):
        answer = await ask(simulator, name, body)
        assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    ("name", "part", "feature"),
    [
        ("openrouter", {"type": "video_url", "video_url": {"url": "https://example.com"}}, "video input"),
        ("groq", {"type": "input_audio", "input_audio": {}}, "audio input"),
    ],
)
async def test_what_is_not_simulated_is_named(
    simulator: Simulator, name: str, part: Body, feature: str
) -> None:
    answer = await ask(simulator, name, ask_for(name, messages=[{"role": "user", "content": [part]}]))
    assert answer.status == 400
    assert feature in str(answer.error["message"])
    assert feature in NOT_SIMULATED

"""Responses of compatible servers and of Azure."""

import json

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from simulator.responses import ask, ask_for, content, final, kinds, named, output, response, streamed
from simulator.wire import Body, chunks, events

from tokenwire_server.simulator import COMPATIBLE, Simulator

MODELS = {"deepseek": "deepseek-reasoner", "groq": "openai/gpt-oss-120b", "azure": "gpt-5.5"}
SPEAKING = tuple(name for name in COMPATIBLE if name != "odd")
OPEN = tuple(name for name in SPEAKING if name != "azure")
TOOL: Body = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
}


def path(name: str) -> str:
    return f"/compatible/{name}/v1/responses{'?api-version=preview' if name == 'azure' else ''}"


def asked(name: str, given: object = "Hi.", **parameters: object) -> Body:
    return ask_for(given, **{"model": MODELS.get(name, "any/thinking-model"), **parameters})


@pytest.mark.parametrize("name", OPEN)
async def test_reasoning_is_told_as_it_is(simulator: Simulator, name: str) -> None:
    found = await streamed(simulator, asked(name), path=path(name))
    told = "".join(str(event["delta"]) for event in found if named(event) == "reasoning_text.delta")
    thought, message = output(final(found))
    assert content(thought) == {"type": "reasoning_text", "text": told}
    assert "encrypted_content" not in thought
    assert content(message)["type"] == "output_text"
    assert not any("obfuscation" in event for event in found)


@pytest.mark.parametrize("name", SPEAKING)
async def test_a_call_goes_round(simulator: Simulator, name: str) -> None:
    first = await response(simulator, asked(name, tools=[TOOL]), path=path(name))
    assert kinds(first) == ["reasoning", "function_call"]
    result = {"type": "function_call_output", "call_id": output(first)[1]["call_id"], "output": "done"}
    again = asked(name, [{"role": "user", "content": "Hi."}, *output(first), result], tools=[TOOL])
    assert kinds(await response(simulator, again, path=path(name))) == ["reasoning", "message"]


@pytest.mark.parametrize("name", OPEN)
async def test_they_take_what_openai_refuses(simulator: Simulator, name: str) -> None:
    body = asked(name, temperature=0.3, max_output_tokens=5, top_k=4, reasoning={"effort": "none"})
    whole = await response(simulator, body, path=path(name))
    assert (whole["status"], kinds(whole)) == ("incomplete", ["message"])


async def test_openrouters_streams_have_no_event_lines(simulator: Simulator) -> None:
    """Recorded."""
    answer = await ask(simulator, asked("openrouter", stream=True), path=path("openrouter"))
    first, second, *_, last = events(answer.body)
    assert (first, last) == (b": OPENROUTER PROCESSING", b"data: [DONE]")
    assert second.startswith(b'data: {"type":"response.created"')


@pytest.mark.parametrize("name", SPEAKING)
async def test_errors_in_a_stream(simulator: Simulator, name: str) -> None:
    script = {"error_event": "server_error", "after": 1}
    answer = await ask(simulator, asked(name, stream=True), path=path(name), script=script)
    last = chunks(answer.body)[-1]
    assert (last["type"], last["sequence_number"]) == ("error", len(chunks(answer.body)) - 1)
    assert isinstance(last["error"], dict)
    assert last["error"]["type"] == "server_error"


async def test_a_server_without_the_endpoint(simulator: Simulator) -> None:
    assert (await ask(simulator, asked("odd"), path=path("odd"))).status == 404


async def test_hosted_tools_are_named(simulator: Simulator) -> None:
    answer = await ask(simulator, asked("vllm", tools=[{"type": "web_search"}]), path=path("vllm"))
    assert "The simulator does not simulate hosted tools." in str(answer.json["message"])


async def test_deepseek_wants_outputs_right_after_calls(simulator: Simulator) -> None:
    """The recorded refusal."""
    call = {"type": "function_call", "call_id": "call-a", "name": "read", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call-a", "output": "a"}
    between = {"role": "assistant", "content": "Let me see."}
    answer = await ask(simulator, asked("deepseek", [call, between, result]), path=path("deepseek"))
    assert answer.status == 400
    assert answer.error == {
        "message": "No tool output found for tool call call-a.",
        "type": "invalid_request_error",
        "code": "invalid_request_error",
    }


@pytest.mark.parametrize("name", ["vllm", "openrouter"])
async def test_the_sdk_reads_them(simulator: Simulator, name: str) -> None:
    url = simulator.compatible_url(name)
    async with AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as sdk:
        async with sdk.responses.stream(model="any/thinking-model", input="Hi.") as stream:
            done = await stream.get_final_response()
        whole = await sdk.responses.create(model="any/thinking-model", input="Hi.")
    assert done.output_text == whole.output_text != ""


async def test_azure_puts_the_filters_around_it(simulator: Simulator) -> None:
    whole = await response(simulator, asked("azure"), path=path("azure"))
    last = final(await streamed(simulator, asked("azure"), path=path("azure")))
    for found in (whole, last):
        assert isinstance(found["content_filters"], list)
        assert [row["source_type"] for row in found["content_filters"]] == ["prompt", "completion"]


async def test_azures_sdk(simulator: Simulator) -> None:
    endpoint = simulator.compatible_url("azure").removesuffix("/v1")
    sdk = AsyncAzureOpenAI(api_key="k", azure_endpoint=endpoint, api_version="2025-04-01-preview")
    async with sdk:
        done = await sdk.responses.create(model="gpt-5.5", input="Hi.")
    assert json.loads(done.to_json())["status"] == "completed"

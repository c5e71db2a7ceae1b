"""Errors and faults of compatible servers, and Azure."""

import json

import pytest
from openai import AsyncAzureOpenAI
from simulator.compatible import ask, ask_for, choices
from simulator.wire import KEY, Body, chat, chunks, events, request

from tokenwire_server.simulator import COMPATIBLE, ERRORS, Script, Simulator


@pytest.mark.parametrize("name", COMPATIBLE)
@pytest.mark.parametrize("error", ERRORS)
async def test_named_errors(simulator: Simulator, name: str, error: str) -> None:
    openai = await request(simulator, chat(), script={"error": error})
    answer = await ask(simulator, name, ask_for(name), script={"error": error})
    assert answer.status == openai.status
    assert answer.headers.get("retry-after") == openai.headers.get("retry-after")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (
            "vllm",
            {"object": "error", "message": "Not Found", "type": "NotFoundError", "param": None, "code": 404},
        ),
        ("ollama", {"error": "Not Found"}),
        ("odd", {"detail": "Not Found"}),
        ("openrouter", {"error": {"code": 404, "message": "Not Found", "type": "invalid_request_error"}}),
        ("groq", {"error": {"message": "Not Found", "type": "invalid_request_error"}}),
        ("azure", {"error": {"code": "404", "message": "Resource not found"}}),
    ],
)
async def test_forms_of_errors(simulator: Simulator, name: str, body: Body) -> None:
    answer = await request(simulator, {}, path=f"/compatible/{name}/v1/none?api-version=1", headers=KEY)
    assert (answer.status, answer.json) == (404, body)


async def test_groq_names_an_unknown_model(simulator: Simulator) -> None:
    """The recorded body."""
    answer = await ask(simulator, "groq", ask_for("groq", model="non-existent"))
    assert answer.error == {
        "message": "The model `non-existent` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "code": "model_not_found",
    }


async def test_errors_in_a_stream(simulator: Simulator) -> None:
    script = {"error_event": "server_error", "after": 1}
    last = {
        name: events((await ask(simulator, name, ask_for(name, stream=True), script=script)).body)[-2:]
        for name in ("groq", "openrouter", "vllm", "azure", "llamacpp")
    }
    assert last["groq"][1].startswith(b'event: error\ndata: {"error":{')
    assert b'"status_code":500' in last["groq"][1]
    assert last["openrouter"][1] == last["vllm"][1] == b"data: [DONE]"
    chunk = json.loads(last["openrouter"][0][6:])
    assert chunk["error"].keys() == {"code", "message"}
    assert chunk["choices"][0]["finish_reason"] == "error"
    assert json.loads(last["vllm"][0][6:])["object"] == "error"
    assert json.loads(last["azure"][1][6:]).keys() == {"error"}
    assert json.loads(last["llamacpp"][1][6:])["error"]["code"] == 500


@pytest.mark.parametrize("name", COMPATIBLE)
async def test_faults_work_everywhere(simulator: Simulator, name: str) -> None:
    body = ask_for(name, stream=True)
    cut = await ask(simulator, name, body, script={"cut_at_byte": 100, "how": "rst"})
    assert cut.ended == "rst"
    ended = await ask(simulator, name, body, script={"no_finish": True, "framing": "cr"})
    assert b"[DONE]" not in ended.body
    assert b'"finish_reason":"stop"' not in ended.body
    assert b"\n" not in ended.body
    simulator.script(Script(status=503))
    assert [(await ask(simulator, name, body)).status for _ in range(2)] == [503, 200]


async def test_azures_sdk_works(simulator: Simulator) -> None:
    endpoint = simulator.compatible_url("azure").removesuffix("/v1")
    sdk = AsyncAzureOpenAI(azure_endpoint=endpoint, api_version="2025-04-01-preview", api_key="k")
    async with sdk:
        whole = await sdk.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Hello"}]
        )
        stream = await sdk.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        text = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    assert simulator.received[0].headers["api-key"] == "k"
    assert "".join(text) == whole.choices[0].message.content


async def test_azure_begins_with_the_filters_of_the_prompt(simulator: Simulator) -> None:
    answer = await ask(simulator, "azure", ask_for("azure", stream=True))
    first, second = chunks(answer.body)[:2]
    assert (first["id"], first["model"], first["choices"]) == ("", "", [])
    assert first.keys() >= {"prompt_filter_results"}
    assert "content_filter_results" in choices(second)[0]
    whole = await ask(simulator, "azure", ask_for("azure"))
    assert whole.json.keys() >= {"prompt_filter_results", "usage"}


async def test_azure_wants_a_version_and_takes_a_key_header(simulator: Simulator) -> None:
    path = "/compatible/azure/openai/deployments/gpt-4o/chat/completions"
    body = chat(model="ignored")
    key = {"api-key": "k"}
    assert (await request(simulator, body, path=path, headers=key)).status == 404
    answer = await request(simulator, body, path=f"{path}?api-version=1", headers=key)
    assert (answer.status, answer.json["model"]) == (200, "gpt-4o")
    listed = await request(
        simulator, method="GET", path="/compatible/azure/v1/models?api-version=1", headers=key
    )
    assert listed.status == 200
    refused = await request(
        simulator, chat(max_tokens=0), path="/compatible/azure/v1/chat/completions?api-version=1", headers=key
    )
    assert (refused.status, refused.error["param"]) == (400, "max_tokens")

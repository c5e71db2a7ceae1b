"""Requests to the Responses endpoint, and its answers."""

from simulator.wire import KEY, Answer, Body, Headers, chunks, request

from tokenwire_server.simulator import Simulator

PATH = "/v1/responses"
OBJECT: Body = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED: Body = {**OBJECT, "required": ["a"], "additionalProperties": False}
FUNCTION: Body = {"type": "function", "name": "look_up", "parameters": OBJECT}
CUSTOM: Body = {"type": "custom", "name": "run_code"}


def ask_for(given: object = "Say something.", **parameters: object) -> Body:
    return {"model": "gpt-4o", "input": given, **parameters}


async def ask(
    simulator: Simulator, body: object, *, script: object = None, path: str = PATH, headers: Headers = KEY
) -> Answer:
    return await request(simulator, body, path=path, headers=headers, script=script)


async def response(simulator: Simulator, body: Body, *, script: object = None, path: str = PATH) -> Body:
    """The response of an accepted request."""
    answer = await ask(simulator, body, script=script, path=path)
    assert answer.status == 200, answer.body
    return answer.json


def output(response: Body) -> list[Body]:
    found = response["output"]
    assert isinstance(found, list)
    return found


def kinds(response: Body) -> list[object]:
    return [item["type"] for item in output(response)]


def content(item: Body) -> Body:
    """The only part of a message."""
    parts = item["content"]
    assert isinstance(parts, list)
    (part,) = parts
    assert isinstance(part, dict)
    return part


def text(response: Body) -> str:
    return str(content(output(response)[-1])["text"])


async def streamed(
    simulator: Simulator, body: Body, *, script: object = None, path: str = PATH
) -> list[Body]:
    """The data of all events; each stands under its own name and has its number."""
    answer = await ask(simulator, body | {"stream": True}, script=script, path=path)
    assert answer.status == 200, answer.body
    found = chunks(answer.body)
    assert [event["sequence_number"] for event in found] == [*range(len(found))]
    return found


def named(event: Body) -> str:
    return str(event["type"]).removeprefix("response.")


def final(events: list[Body]) -> Body:
    found = events[-1]["response"]
    assert isinstance(found, dict)
    return found

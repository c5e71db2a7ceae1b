"""Requests to the simulated compatible servers, and their answers."""

from simulator.wire import KEY, Answer, Body, Headers, chat, chunks, request

from tokenwire_server.simulator import COMPATIBLE, Simulator

FUNCTION: Body = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    },
}
MODELS = {
    "deepseek": "deepseek-reasoner",
    "groq": "openai/gpt-oss-120b",
    "azure": "gpt-4o",
}
LOCAL = ("vllm", "ollama", "llamacpp", "odd")
OTHERS = tuple(name for name in COMPATIBLE if name != "azure")
USAGE: Body = {"stream": True, "stream_options": {"include_usage": True}}
END = {"odd": b"\r\n"}


def ask_for(name: str, prompt: str = "Say something.", **parameters: object) -> Body:
    return chat(prompt, **{"model": MODELS.get(name, "any/thinking-model"), **parameters})


async def ask(
    simulator: Simulator, name: str, body: object, *, script: object = None, headers: Headers = KEY
) -> Answer:
    query = "?api-version=2025-04-01-preview" if name == "azure" else ""
    path = f"/compatible/{name}/v1/chat/completions{query}"
    return await request(simulator, body, path=path, headers=headers, script=script)


def choices(body: Body) -> list[Body]:
    found = body["choices"]
    assert isinstance(found, list)
    return found


def message(answer: Answer) -> Body:
    found = choices(answer.json)[0]["message"]
    assert isinstance(found, dict)
    return found


def streamed(name: str, answer: Answer) -> list[Body]:
    return chunks(answer.body, END.get(name, b"\n"))


def deltas(name: str, answer: Answer) -> list[Body]:
    found = [choices(chunk)[0]["delta"] for chunk in streamed(name, answer) if choices(chunk)]
    return [delta for delta in found if isinstance(delta, dict)]


def finishes(name: str, answer: Answer) -> list[object]:
    return [choices(chunk)[0]["finish_reason"] for chunk in streamed(name, answer) if choices(chunk)]

"""Requests to the simulated Mistral."""

from simulator.wire import KEY, Answer, Body, Headers, request

from tokenwire_server.simulator import Simulator

CHAT = "/mistral/v1/chat/completions"
FUNCTION: Body = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    },
}


def chat(prompt: str = "Say something.", **parameters: object) -> Body:
    messages = [{"role": "user", "content": prompt}]
    return {"model": "mistral-small-latest", "messages": messages, **parameters}


async def ask(simulator: Simulator, body: object, *, script: object = None, headers: Headers = KEY) -> Answer:
    return await request(simulator, body, script=script, path=CHAT, headers=headers)

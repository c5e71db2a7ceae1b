"""What `tokenwire serve --demo` adds: the embedded simulator as the provider, and one sample chat."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.registry import with_simulator
from tokenwire_server.rpc.caller import caller
from tokenwire_server.settings import Settings
from tokenwire_server.simulator import serving

_PROMPT: Final = "Explique la photosynthèse"
_SECONDS: Final = 30.0


@asynccontextmanager
async def simulated(settings: Settings) -> AsyncIterator[Settings]:
    """The settings with the simulator as their providers; it runs until the context is left."""
    async with serving() as simulator:
        yield with_simulator(settings, simulator.urls)


async def show(address: str, *, needs_token: bool) -> None:
    """Streams one chat through the real server to standard output, and says how to go on.

    Where callers need a token there is no chat: of tokens the server has only hashes.
    """
    _say("No provider key is set: the embedded simulator answers. It asks no model and costs nothing.\n")
    if not needs_token:
        await _sample(address)
    header = ' -H "authorization: Bearer $TOKENWIRE_TOKEN"' if needs_token else ""
    payload = '{"messages":[{"role":"ROLE_USER","text":"' + _PROMPT + '"}]}'
    _say(f"\nServing on {address}. Try:\n")
    _say(f"  grpcurl -plaintext{header} -d '{payload}' {address} tokenwire.v1.LLMService/ChatStream\n")
    _say("For real answers set OPENAI_API_KEY or MISTRAL_API_KEY and start again. Ctrl-C stops.\n")


async def _sample(address: str) -> None:
    _say(f"> {_PROMPT}\n")
    request = pb.ChatRequest(messages=[pb.ChatMessage(role=pb.ROLE_USER, text=_PROMPT)])
    async with caller(address, _SECONDS) as client:
        async for event in client.chat(request):
            _say(event.text_delta.text)
    _say("\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()

"""Each call goes to the provider that its target names, and to no other."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2
from tokenwire_server.call import Call, Target
from tokenwire_server.policy.route import Route


class Recorder:
    """A backend that writes down who was asked."""

    def __init__(self, name: str, asked: list[tuple[str, str, pb.ChatRequest, Call]]) -> None:
        self._name = name
        self._asked = asked

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        self._asked.append((self._name, "chat", request, call))
        return pb.ChatResponse(provider=self._name)

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        self._asked.append((self._name, "stream", request, call))

        async def events() -> AsyncIterator[Sequence[pb.ChatStreamResponse]]:
            yield [pb.ChatStreamResponse(started=pb.ChatStarted(provider=self._name))]

        yield events()

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        return embed_pb2.EmbedResponse(provider=self._name)


async def test_a_call_goes_to_the_named_provider() -> None:
    asked: list[tuple[str, str, pb.ChatRequest, Call]] = []
    route = Route({name: Recorder(name, asked) for name in ("a", "b")})
    request, call = ask(), Call("r", "Chat", 0.0, target=Target("b", "m"))
    assert (await route.chat(request, call)).provider == "b"
    async with route.stream(request, call) as events:
        batches = [batch async for batch in events]
    assert [event.started.provider for batch in batches for event in batch] == ["b"]
    assert asked == [("b", "chat", request, call), ("b", "stream", request, call)]
    assert (await route.embed(embed_pb2.EmbedRequest(), call)).provider == "b"

"""The least that a gRPC server in Python can do: the same messages from grpc.aio, and nothing behind it.

Options, event loop and experiments are those of the real server. A process of its own.
"""

import asyncio
import os
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from tokenwire_server.__main__ import EXPERIMENTS

# As the `tokenwire` command does, before grpc is imported.
os.environ.setdefault("GRPC_EXPERIMENTS", EXPERIMENTS)

import grpc
import uvloop
from google.protobuf.message import Message

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2, llm_service_pb2_grpc
from tokenwire_server.rpc.server import OPTIONS

from .child import serve_until_told
from .payload import CHATS, DIMENSIONS, EMBEDDINGS, PACE, PACED, PIECES, USAGE, answer

if TYPE_CHECKING:
    Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def response(model: str) -> pb.ChatResponse:
    """What a gateway answers to the upstream's reply, without what it knows itself."""
    given, made = USAGE
    choice = pb.Choice(
        message=answer(model), finish_reason=pb.FINISH_REASON_STOP, native_finish_reason="stop"
    )
    if CHATS[model].tools:
        choice.finish_reason, choice.native_finish_reason = pb.FINISH_REASON_TOOL_CALLS, "tool_calls"
    usage = common_pb2.Usage(input_tokens=given, output_tokens=made, total_tokens=given + made)
    found = pb.ChatResponse(
        id="chatcmpl-bench", model=model, provider="openai", choices=[choice], usage=usage
    )
    found.create_time.seconds = 1767225600
    return found


def embed_response(model: str) -> embed_pb2.EmbedResponse:
    """The same for a model for embeddings."""
    embedding = EMBEDDINGS[model]
    given, _ = USAGE
    return embed_pb2.EmbedResponse(
        embeddings=embedding.embeddings,
        usage=common_pb2.Usage(input_tokens=given, total_tokens=given),
        model=model,
        provider="openai",
        dimensions=DIMENSIONS,
        encoding=embedding.encoding,
    )


class Reference(llm_service_pb2_grpc.LLMServiceServicer):
    """Chat and Embed answer from memory, ChatStream writes each token by itself."""

    def __init__(self) -> None:
        self._answered = {f"openai/{model}": response(model) for model in CHATS}
        self._embedded = {f"openai/{model}": embed_response(model) for model in EMBEDDINGS}
        self._deltas = [pb.ChatStreamResponse(text_delta=pb.TextDelta(text=piece)) for piece in PIECES]

    async def Chat(self, request: pb.ChatRequest, context: "Context") -> pb.ChatResponse:  # noqa: N802 (gRPC names it)
        """The model's answer, the same to everyone."""
        return self._answered[request.model]

    async def ChatStream(  # type: ignore[override]  # noqa: N802 (gRPC names it)
        self, request: pb.ChatRequest, context: "Context"
    ) -> None:
        """At once, or at the pace."""
        loop = asyncio.get_running_loop()
        start, paced = loop.time(), request.model.endswith(PACED)
        for index, delta in enumerate(self._deltas):
            if paced:
                await asyncio.sleep(start + index * PACE - loop.time())
            await context.write(delta)

    async def Embed(self, request: embed_pb2.EmbedRequest, context: "Context") -> embed_pb2.EmbedResponse:  # noqa: N802 (gRPC names it)
        """The model's vectors."""
        return self._embedded[request.model]

    async def _none(self, request: Message, context: "Context") -> NoReturn:
        raise NotImplementedError

    CountTokens = ListModels = Health = _none


async def main() -> None:
    """Serves on a free port."""
    server = grpc.aio.server(options=OPTIONS)
    llm_service_pb2_grpc.add_LLMServiceServicer_to_server(Reference(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await serve_until_told(port)
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(main())

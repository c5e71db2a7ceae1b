"""Each thing that a caller does, once, with the stubs alone.

Takes TOKENWIRE_TARGET, TOKENWIRE_TOKEN, and as TOKENWIRE_SERVICE_CONFIG the name of a file.
"""

import json
import os
import sys
from pathlib import Path

import grpc
from google.rpc import error_details_pb2, status_pb2

from tokenwire.v1 import chat_pb2 as chat
from tokenwire.v1 import embed_pb2 as embed
from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub

TARGET = os.environ.get("TOKENWIRE_TARGET", "127.0.0.1:50051")
TOKEN = os.environ.get("TOKENWIRE_TOKEN")
SERVICE_CONFIG = os.environ.get("TOKENWIRE_SERVICE_CONFIG")

METADATA = (("authorization", f"Bearer {TOKEN}"),) if TOKEN else ()
SECONDS = 30
"""The deadline: it bounds all that the server does for a call."""

SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'
WEATHER = chat.Tool(function=chat.FunctionTool(name="weather", parameters_json=SCHEMA))


def user(text: str) -> chat.ChatMessage:
    return chat.ChatMessage(role=chat.ROLE_USER, text=text)


def ask(*messages: chat.ChatMessage) -> chat.ChatRequest:
    return chat.ChatRequest(model="openai/gpt-4o-mini", messages=messages)


def explain(error: grpc.RpcError) -> str:
    """The reason, the fields that were refused, and when to come back."""
    told = []
    metadata = ((entry.key, entry.value) for entry in error.trailing_metadata() or ())
    packed = next((value for key, value in metadata if key == "grpc-status-details-bin"), b"")
    for detail in status_pb2.Status.FromString(packed).details:
        if detail.Unpack(info := error_details_pb2.ErrorInfo()):
            told.append(info.reason)
        elif detail.Unpack(request := error_details_pb2.BadRequest()):
            told += [violation.field for violation in request.field_violations]
        elif detail.Unpack(retry := error_details_pb2.RetryInfo()):
            told.append(f"again in {retry.retry_delay.seconds} s")
    return ", ".join(told) or str(error.details())


def said(llm: LLMServiceStub, request: chat.ChatRequest) -> chat.ChatMessage:
    return llm.Chat(request, metadata=METADATA, timeout=SECONDS).choices[0].message


def whole(llm: LLMServiceStub) -> str:
    """Joins the pieces of an answer."""
    stream = llm.ChatStream(ask(user("Hello")), metadata=METADATA, timeout=SECONDS)
    return "".join(event.text_delta.text for event in stream)


def first(llm: LLMServiceStub) -> str:
    """Leaves an answer after its first piece: the cancel stops the provider too."""
    stream = llm.ChatStream(ask(user("Hello")), metadata=METADATA, timeout=SECONDS)
    piece = next((event.text_delta.text for event in stream if event.HasField("text_delta")), "")
    stream.cancel()  # type: ignore[no-untyped-call] # the stubs leave it so
    return piece


def hurried(llm: LLMServiceStub) -> None:
    try:
        llm.Chat(ask(user("Hello")), metadata=METADATA, timeout=0.001)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            print("deadline: passed")


def tools(llm: LLMServiceStub) -> None:
    request = ask(user("What is the weather in Paris?"))
    request.tools.append(WEATHER)
    answer = said(llm, request)

    results = chat.ChatMessage(role=chat.ROLE_TOOL)
    for call in (part.tool_call for part in answer.parts if part.HasField("tool_call")):
        print("tool:", call.name, json.loads(call.arguments_json)["city"])
        result = chat.ToolResult(tool_call_id=call.id, text="sunny")
        results.parts.append(chat.ContentPart(tool_result=result))
    request.messages.extend([answer, results])
    print("tool answer:", said(llm, request).text)


def tour(llm: LLMServiceStub) -> None:
    print("chat:", said(llm, ask(user("Hello"))).text)
    print("stream:", whole(llm))
    print("left after:", first(llm))
    hurried(llm)
    tools(llm)

    texts = embed.EmbedRequest(model="openai/text-embedding-3-small", input=["a red apple", "a green apple"])
    vectors = llm.Embed(texts, metadata=METADATA, timeout=SECONDS).embeddings
    print(f"embed: {len(vectors)} vectors of {len(vectors[0].values)} numbers")

    refused = ask(user("Hello"))
    refused.config.temperature = 9
    try:
        said(llm, refused)
    except grpc.RpcError as error:
        print("refused:", explain(error))


options = [("grpc.service_config", Path(SERVICE_CONFIG).read_text())] if SERVICE_CONFIG else []
with grpc.insecure_channel(TARGET, options) as channel:
    try:
        tour(LLMServiceStub(channel))
    except grpc.RpcError as error:
        print("failed:", explain(error))
        sys.exit(1)

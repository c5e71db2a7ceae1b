"""The runner of the conformance kit: a call for each line of JSON, and what came of it as a line.

docs/clients.md has the fields. Messages are parsed and serialized again, so that the stubs are tested.
"""

import base64
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from tokenwire.v1 import llm_service_pb2
from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub

METHODS = llm_service_pb2.DESCRIPTOR.services_by_name["LLMService"].methods_by_name
DETAILS = error_details_pb2.DESCRIPTOR.pool
RECEIVE_LIMIT = 64 * 2**20
"""In bytes."""


def encoded(message: Message) -> str:
    return base64.b64encode(message.SerializeToString()).decode()


def readable(metadata: Iterable[Any] | None) -> dict[str, str]:
    return {key: value for key, value in metadata or () if isinstance(value, str)}


def details(trailers: Iterable[Any] | None) -> Iterator[dict[str, str]]:
    """Each detail of the status, parsed as what it says it is."""
    status = next((value for key, value in trailers or () if key == "grpc-status-details-bin"), b"")
    for packed in status_pb2.Status.FromString(status).details:
        detail = GetMessageClass(DETAILS.FindMessageTypeByName(packed.TypeName()))()
        packed.Unpack(detail)
        yield {"type": packed.TypeName(), "value": encoded(detail)}


def responses(stub: LLMServiceStub, call: dict[str, Any]) -> tuple[Any, Iterator[Any]]:
    """The running call, and its responses."""
    method = METHODS[call["rpc"]]
    request = GetMessageClass(method.input_type).FromString(base64.b64decode(call["request"]))
    options = {
        "metadata": tuple(call.get("metadata", {}).items()),
        "timeout": call["timeout_ms"] / 1000,
        "wait_for_ready": call.get("wait_for_ready"),
    }
    if method.server_streaming:
        running = getattr(stub, method.name)(request, **options)
        return running, iter(running)
    running = getattr(stub, method.name).future(request, **options)
    return running, (running.result() for _ in range(1))


def outcome(stub: LLMServiceStub, call: dict[str, Any]) -> dict[str, Any]:
    running, coming = responses(stub, call)
    came: list[str] = []
    try:
        for response in coming:
            came.append(encoded(response))
            if len(came) == call.get("cancel_after"):
                running.cancel()
    except (grpc.RpcError, grpc.FutureCancelledError):
        pass  # the call knows how it ended
    return {
        "id": call["id"],
        "code": running.code().name,
        "message": running.details() or "",
        "responses": came,
        "details": list(details(running.trailing_metadata())),
        "headers": readable(running.initial_metadata()),
        "trailers": readable(running.trailing_metadata()),
    }


def connected(call: dict[str, Any]) -> grpc.Channel:
    options: list[tuple[str, Any]] = [("grpc.max_receive_message_length", RECEIVE_LIMIT)]
    if config := call.get("service_config"):
        options.append(("grpc.service_config", json.dumps(config)))
    return grpc.insecure_channel(call["target"], options)


channels: dict[str, grpc.Channel] = {}  # one, as a program would have, until another server is called
for line in sys.stdin:
    call = json.loads(line)
    if call["target"] not in channels:
        for left in channels.values():
            left.close()
        channels = {call["target"]: connected(call)}
    print(json.dumps(outcome(LLMServiceStub(channels[call["target"]]), call)), flush=True)

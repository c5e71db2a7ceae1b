"""What must hold of an outcome: what its case expects, and what holds of every call."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from conformance.kit.cases import Case, Expected
from conformance.kit.matching import differences
from conformance.kit.runner import Outcome
from conformance.kit.stages import Stage
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from support.status import Failure

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.simulator import wait_closed


def outcome_faults(case: Case, outcome: Outcome) -> Iterator[str]:
    """What is wrong of what the caller sees, in words."""
    expect, failure = case.expect, outcome.failure
    if failure.code not in expect.code.split("|"):
        yield f"{failure.code}, not {expect.code}: {failure.message}"
    came = outcome.responses[: case.cancel_after or None]  # more may have been on their way
    if expect.responses is not None and len(came) != expect.responses:
        yield f"{len(came)} responses, not {expect.responses}"
    if expect.reason:
        yield from _error_faults(expect, failure)
    yield from differences(dict(expect.trailers), dict(failure.trailers), "metadata")
    if expect.reply:
        yield from differences(dict(expect.reply), _reply(outcome.responses))
    if case.rpc == "ChatStream":
        events = [response for response in outcome.responses if isinstance(response, pb.ChatStreamResponse)]
        yield from _stream_faults(events, failure.code)


def _reply(responses: Sequence[Message]) -> object:
    if not responses:
        return {}
    last = responses[-1]
    if isinstance(last, pb.ChatStreamResponse):
        last = last.completed.response
    return MessageToDict(last, preserving_proto_field_name=True)


def _error_faults(expect: Expected, failure: Failure) -> Iterator[str]:
    """Domain and request id belong to every refusal."""
    reason, quota, resource = failure.reason, failure.quota, failure.resource
    wanted = {
        "reason": expect.reason,
        "domain": "tokenwire",
        "request id": "*",
        "message": f"{expect.reason}: …",
        "info": dict(expect.info),
        "fields": list(expect.fields),
        "retry after": expect.retry_after,
        "quota": expect.quota or None,
        "resource": expect.resource or None,
    }
    found = {
        "reason": reason,
        "domain": failure.info.domain,
        "request id": failure.request_id,
        "message": failure.message,
        "info": dict(failure.info.metadata),
        "fields": failure.fields,
        "retry after": failure.retry_after,
        "quota": quota and quota.violations[0].subject,
        "resource": resource and resource.resource_name,
    }
    yield from differences(wanted, found, "error")


def _stream_faults(events: Sequence[pb.ChatStreamResponse], code: str) -> Iterator[str]:
    """Of any stream: `started` first, `completed` last and only where it succeeded, and whole deltas."""
    kinds = [event.WhichOneof("event") for event in events]
    if kinds and kinds[0] != "started":
        yield f"a stream that begins with {kinds[0]}"
    if kinds.count("started") > 1:
        yield "started twice"
    if [kind for kind in kinds if kind == "completed"] != (["completed"] if code == "OK" else []):
        yield f"{kinds.count('completed')} times completed"
    elif code == "OK" and kinds[-1] != "completed":
        yield "completed is not the last"
    elif code == "OK":
        yield from _delta_faults(events, events[-1].completed.response)


def _delta_faults(events: Sequence[pb.ChatStreamResponse], response: pb.ChatResponse) -> Iterator[str]:
    for choice in response.choices:
        mine = [event for event in events if event.choice_index == choice.index]
        text = "".join(event.text_delta.text for event in mine)
        if text != choice.message.text:
            yield f"deltas {text!r} of {choice.message.text!r}"
        for index, part in enumerate(choice.message.parts):
            told = [event for event in mine if event.part_index == index]
            arguments = "".join(event.tool_call_delta.arguments_json for event in told)
            if arguments != part.tool_call.arguments_json:
                yield f"deltas {arguments!r} of {part.tool_call.arguments_json!r}"


async def stage_faults(case: Case, stage: Stage) -> list[str]:
    """What is wrong of what the other side saw, in words."""
    expect = case.expect
    faults: list[str] = []
    if stage.simulator and expect.upstream:
        outcomes = [(await wait_closed(request)).outcome for request in stage.simulator.received]
        faults += differences(list(expect.upstream), outcomes, "upstream")
    if stage.standin and expect.calls is not None:
        calls = stage.standin.calls
        faults += differences(expect.calls, len(calls), "calls")
        if any((later - earlier) * 1000 < expect.apart_ms for earlier, later in pairwise(calls[:2])):
            faults.append(f"called again before {expect.apart_ms} ms")
    return faults

"""Replies of the Responses API, as documented and otherwise."""

from typing import Any

import pytest
from google.protobuf import json_format
from unit.providers.responses_pieces import CITED, USAGE, answer, call, message, read, text, thought
from unit.providers.stream_rules import check_message
from unit.providers.upstream import NOT_THE_PROTOCOL

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.state import pack, unpack

SEARCH = {"type": "web_search_call", "id": "ws_1", "action": {"b": 1, "a": [2.5, None]}}


def choice(*output: Any, **more: Any) -> pb.Choice:
    (found,) = read(answer(*output, **more)).choices
    return found


def state(part: pb.ContentPart) -> Any:
    return unpack(part, "openai", "")


def test_a_reply_with_everything_in_it() -> None:
    logprobs = [{"token": "é", "logprob": -0.1, "bytes": [195, 169], "top_logprobs": []}]
    response = read(
        answer(
            thought("First.", "Then."),
            SEARCH,
            message(text("Hi", CITED, logprobs=logprobs), {"type": "refusal", "refusal": "No."}, phase="x"),
            call(namespace="n"),
            usage=USAGE,
            service_tier="flex",
            reasoning={"effort": "high", "summary": "auto"},
            tools=[{"type": "function"}],
            instructions="Be brief.",
            moderation={"flagged": False},
            conversation=None,
        )
    )
    (found,) = response.choices
    reasoning, search, said, refused, called = found.message.parts
    check_message(found.message, found.message.parts)
    assert reasoning.reasoning == pb.Reasoning(summary="First.\nThen.")
    assert state(reasoning) == {"id": "rs_1", "encrypted_content": "gA", "cuts": "6"}
    item = '{"type":"web_search_call","id":"ws_1","action":{"b":1,"a":[2.5,null]}}'
    assert search.provider_item == pb.ProviderItem(provider="openai", type="web_search_call", item_json=item)
    source = pb.Annotation(
        type="url_citation", url="https://a.example", title="A", start_index=0, end_index=2
    )
    assert (said.text, list(said.annotations), refused.refusal) == ("Hi", [source], "No.")
    assert state(said) == state(refused) == {"id": "msg_1", "status": "completed", "phase": "x"}
    assert called.tool_call == pb.ToolCall(id="call_1", name="f", arguments_json='{"a":1}')
    assert state(called) == {"id": "fc_1", "status": "completed", "namespace": "n"}
    assert list(found.logprobs) == [pb.TokenLogprob(token="é", logprob=-0.1, bytes="é".encode())]
    assert response.usage == common_pb2.Usage(
        input_tokens=3,
        output_tokens=5,
        total_tokens=8,
        cached_input_tokens=1,
        cache_write_input_tokens=2,
        reasoning_tokens=4,
        source=common_pb2.TOKEN_SOURCE_PROVIDER,
    )
    assert (response.id, response.model, response.create_time.seconds) == ("resp_1", "m-1", 5)
    assert (response.service_tier, response.reasoning.effort) == ("flex", "high")
    assert json_format.MessageToDict(response.provider_fields) == {"moderation": {"flagged": False}}


def test_a_lone_text_needs_no_parts_unless_it_has_a_phase() -> None:
    assert choice(message(text("Hi"))).message == pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="Hi")
    (part,) = choice(message(text("Hi"), phase="commentary")).message.parts
    assert state(part)["phase"] == "commentary"


def test_an_empty_answer_is_an_empty_message() -> None:
    for output in ((), (message(),), (message(text("")),), (message(text(None)),)):
        assert choice(*output).message == pb.ChatMessage(role=pb.ROLE_ASSISTANT)


def test_thoughts_that_are_shown() -> None:
    content = [{"type": "reasoning_text", "text": line} for line in ("Hm.", "Well.")]
    (part,) = choice(thought(content=content, encrypted_content=None)).message.parts
    assert part.reasoning == pb.Reasoning(text="Hm.\nWell.")
    assert state(part) == {"id": "rs_1"}


STOP, OTHER = pb.FINISH_REASON_STOP, pb.FINISH_REASON_OTHER
REFUSED = message({"type": "refusal", "refusal": "No."})


@pytest.mark.parametrize(
    ("status", "why", "output", "reason"),
    [
        ("completed", None, message(text("Hi")), STOP),
        ("completed", None, thought(), STOP),
        ("completed", None, SEARCH, STOP),
        ("completed", None, call(), pb.FINISH_REASON_TOOL_CALLS),
        ("completed", None, {"type": "custom_tool_call"}, pb.FINISH_REASON_TOOL_CALLS),
        ("completed", None, {"type": "mcp_approval_request"}, pb.FINISH_REASON_TOOL_CALLS),
        ("completed", None, REFUSED, pb.FINISH_REASON_REFUSAL),
        ("incomplete", "max_output_tokens", REFUSED, pb.FINISH_REASON_LENGTH),
        ("incomplete", "max_output_tokens", call(), pb.FINISH_REASON_LENGTH),
        ("incomplete", "content_filter", message(text("Hi")), pb.FINISH_REASON_CONTENT_FILTER),
        ("incomplete", "steered", message(text("Hi")), OTHER),
        ("incomplete", None, message(text("Hi")), OTHER),
        ("queued", None, message(), OTHER),
        ("cancelled", None, message(), OTHER),
        (None, None, message(text("Hi")), STOP),
    ],
)
def test_finish_reasons(
    status: str | None, why: str | None, output: Any, reason: "pb.FinishReason.ValueType"
) -> None:
    found = choice(output, status=status, incomplete_details=why and {"reason": why})
    assert found.finish_reason == reason
    assert found.native_finish_reason == (why or status or "completed")


@pytest.mark.parametrize("kind", ["function_call", "tool_call", "function"])
@pytest.mark.parametrize("arguments", ['{"a":1}', {"a": 1}], ids=["text", "object"])
def test_a_call_by_other_names(kind: str, arguments: object) -> None:
    expected = pb.ToolCall(id="call_1", name="f", arguments_json='{"a":1}')
    fields = {"name": "f", "arguments": arguments}
    for item in ({"call_id": "call_1", **fields}, {"id": "call_1", "function": fields}):
        found = choice({"type": kind, **item})
        (part,) = found.message.parts
        assert part == pb.ContentPart(
            tool_call=expected, provider_state=b"" if "id" in item else pack("openai")
        )
        assert found.finish_reason == pb.FINISH_REASON_TOOL_CALLS


def test_a_call_without_an_id_gets_one() -> None:
    ids = {choice({"type": "function", "name": "f"}).message.parts[0].tool_call.id for _ in range(9)}
    assert len(ids) == 9
    assert all(ids)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            {"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": 7},
            pb.Annotation(type="file_citation", file_id="file-1", filename="a.pdf", start_index=7),
        ),
        (
            {
                "type": "container_file_citation",
                "container_id": "cntr_1",
                "file_id": "cfile_1",
                "filename": "a.csv",
                "start_index": 3,
                "end_index": 9,
            },
            pb.Annotation(
                type="container_file_citation",
                file_id="cfile_1",
                filename="a.csv",
                start_index=3,
                end_index=9,
            ),
        ),
        (
            {"type": "file_path", "file_id": "file-1", "index": 0},
            pb.Annotation(type="file_path", file_id="file-1"),
        ),
        ({"type": "new"}, pb.Annotation(type="new")),
    ],
)
def test_other_sources(source: Any, expected: pb.Annotation) -> None:
    (part,) = choice(message(text("Hi", source))).message.parts
    assert list(part.annotations) == [expected]


def test_usage_without_details_and_total() -> None:
    response = read(answer(usage={"input_tokens": 3, "output_tokens": 5, "input_tokens_details": None}))
    assert (response.usage.total_tokens, response.usage.cached_input_tokens) == (8, 0)
    assert not read(answer(usage=None)).HasField("usage")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "rate_limit_exceeded", "message": "secret"}, Reason.PROVIDER_RATE_LIMITED),
        ({"code": "server_error", "message": "secret"}, Reason.PROVIDER_UNAVAILABLE),
        (None, Reason.PROVIDER_UNAVAILABLE),
    ],
)
def test_a_failed_answer_is_an_error(error: Any, reason: "Reason.ValueType") -> None:
    with pytest.raises(GatewayError) as raised:
        read(answer(status="failed", error=error))
    assert Reason.Name(raised.value.reason) == Reason.Name(reason)
    assert "secret" not in repr(raised.value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        answer(output=None),
        answer("text"),
        answer({}),
        answer({"type": 7}),
        answer(message(content=None)),
        answer(message(content=[{"type": "output_text"}])),
        answer(message(text("Hi"), id=7)),
        answer(message(text("Hi", {"url": "a"}))),
        answer(thought(summary=[{"type": "summary_text"}])),
        answer({"type": "function_call", "call_id": "c"}),
        answer(call(call_id=7)),
        answer(id=7),
        answer(model=[1]),
        answer(created_at="now"),
        answer(usage={"input_tokens": "3"}),
        answer(status=7),
        answer(status="incomplete", incomplete_details="text"),
    ],
    ids=str,
)
def test_another_shape_is_not_the_protocol(value: Any) -> None:
    with pytest.raises(NOT_THE_PROTOCOL):
        read(value)

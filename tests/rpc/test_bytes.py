"""What is no message at all, and what is too large."""

import asyncio
from collections.abc import Callable

import pytest
from conftest import Opener
from grpc import aio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.ask import ask, user
from support.gateway import SECONDS, Gateway
from support.status import Failure, failure

from tokenwire.v1 import chat_pb2 as pb

MIB = 1024 * 1024
METHOD = "/tokenwire.v1.LLMService/Chat"


def _call(gateway: Gateway, data: bytes) -> "aio.UnaryUnaryCall[bytes, bytes]":
    method: Callable[..., aio.UnaryUnaryCall[bytes, bytes]] = gateway.channel.unary_unary(
        METHOD, request_serializer=bytes, response_deserializer=bytes
    )
    return method(data, timeout=SECONDS)


async def _send(gateway: Gateway, data: bytes) -> bytes:
    return await _call(gateway, data)


async def _assert_refused(gateway: Gateway, data: bytes) -> Failure:
    refused = await failure(_send(gateway, data))
    assert refused.code == "INVALID_ARGUMENT"
    assert gateway.simulator.received == []
    await gateway.works()
    return refused


def _nested(depth: int) -> pb.ChatRequest:
    request = ask("a", pb.ChatMessage(role=pb.ROLE_TOOL))
    parts = request.messages[1].parts
    for _ in range(depth):
        parts = parts.add().tool_result.parts
    return request


def _padded(size: int) -> bytes:
    """A valid request of exactly so many bytes."""
    request = ask("x" * (size - 64))
    request.messages[0].text += "x" * (size - request.ByteSize())
    data = request.SerializeToString()
    assert len(data) == size
    return data


async def test_invalid_utf8_is_refused_without_its_text(gateway: Gateway) -> None:
    data = ask("QQQQ").SerializeToString().replace(b"QQQQ", b"QQ\xff\xfe")
    refused = await _assert_refused(gateway, data)
    assert refused.reason == "INVALID_REQUEST"
    assert refused.fields == []
    assert "QQ" not in refused.everything
    assert "utf" not in refused.everything.lower()


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05ab", b"\x0b"], ids=["tag", "cut", "group"])
async def test_what_does_not_decode_is_refused(gateway: Gateway, data: bytes) -> None:
    assert (await _assert_refused(gateway, data)).reason == "INVALID_REQUEST"


def _field(tag: int, data: bytes) -> bytes:
    size, left = bytearray(), len(data)
    while left > 127:
        size.append(left & 127 | 128)
        left >>= 7
    return bytes([tag, *size, left]) + data


async def test_what_is_nested_too_deep_is_refused(gateway: Gateway) -> None:
    part = b""
    for _ in range(200):  # by hand: the library would not write it either
        part = _field(0x32, _field(0x1A, part))
    refused = await _assert_refused(gateway, _field(0x12, _field(0x1A, part)))
    assert refused.reason == "INVALID_REQUEST"
    assert refused.fields == []


async def test_what_is_nested_as_deep_as_decodes_is_judged(gateway: Gateway) -> None:
    refused = await _assert_refused(gateway, _nested(45).SerializeToString())
    assert refused.fields


async def test_an_empty_message_has_no_messages(gateway: Gateway) -> None:
    assert (await _assert_refused(gateway, b"")).fields == ["messages"]


async def test_a_request_of_40_mib_is_refused_with_details(gateway: Gateway) -> None:
    refused = await _assert_refused(gateway, _padded(40 * MIB))
    assert refused.reason == "REQUEST_TOO_LARGE"
    assert refused.request_id
    line = await gateway.lines.wait()
    assert (line["code"], line["reason"]) == ("INVALID_ARGUMENT", "REQUEST_TOO_LARGE")


async def test_above_64_mib_grpc_itself_refuses(gateway: Gateway) -> None:
    refused = await failure(_send(gateway, _padded(64 * MIB + 1)))
    assert refused.code == "RESOURCE_EXHAUSTED"
    assert refused.status is None
    assert gateway.simulator.received == []
    await gateway.works()


async def test_the_limit_is_exact(open_gateway: Opener) -> None:
    async with open_gateway(server={"max_request_bytes": 4096}) as gateway:
        assert await _send(gateway, _padded(4096))
        over = await failure(_send(gateway, _padded(4097)))
        assert over.reason == "REQUEST_TOO_LARGE"
        assert len(gateway.simulator.received) == 1


async def test_a_request_of_many_mib_reaches_the_provider(gateway: Gateway) -> None:
    picture = pb.Media(data=b"x" * 9 * MIB, media_type="image/png")
    await gateway.stub.Chat(ask(user("", pb.ContentPart(image=picture))), timeout=SECONDS)
    assert len(gateway.simulator.received[0].raw) > 12 * MIB


async def test_large_and_small_do_not_get_into_each_others_way(gateway: Gateway) -> None:
    large = asyncio.ensure_future(failure(_send(gateway, _padded(40 * MIB))))
    await asyncio.gather(*(gateway.works() for _ in range(10)))
    assert (await large).reason == "REQUEST_TOO_LARGE"


_WHOLE = ask("x", user("", pb.ContentPart(text="y"))).SerializeToString()


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data=st.one_of(
        st.binary(max_size=100),
        st.builds(
            lambda at, cut, noise: _WHOLE[:at] + noise + _WHOLE[at + cut :],
            st.integers(0, len(_WHOLE)),
            st.integers(0, 3),
            st.binary(max_size=6),
        ),
    )
)
async def test_no_bytes_are_the_gateways_fault(data: bytes, gateway: Gateway) -> None:
    call = _call(gateway, data)
    code = await call.code()
    assert code.name in {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}, await call.details()

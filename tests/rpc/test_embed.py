"""Embed, from a caller to the simulated provider and back."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from conftest import Opener
from google.protobuf.struct_pb2 import Struct
from support.gateway import KEY, SECONDS, Gateway
from support.quiet import assert_settled, tasks
from support.status import failure

from tokenwire.v1 import common_pb2
from tokenwire.v1 import embed_pb2 as pb
from tokenwire_server.simulator import Script, wait_closed

MODEL = "openai/text-embedding-3-small"
PACKED = pb.VECTOR_ENCODING_PACKED
AT_ONCE = 4
"""Batches of one call that are under way side by side."""
ROOM = 64 * 1024
"""Bytes of a reply that the gateway counts for one input; a cap of so many of them makes small batches."""
PAIRS = {"provider": {"max_response_bytes": 2 * ROOM}}


def embed(*texts: str, **fields: Any) -> pb.EmbedRequest:
    return pb.EmbedRequest(**{"model": MODEL, "input": texts or ("ping",), **fields})


def texts(number: int) -> list[str]:
    return [f"text {place}" for place in range(number)]


def sent(gateway: Gateway) -> list[dict[str, Any]]:
    """The bodies that the provider received, in the order in which they came."""
    return [json.loads(received.raw) for received in gateway.simulator.received]


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


async def test_each_text_has_a_vector(gateway: Gateway) -> None:
    reply = await gateway.stub.Embed(embed("a red apple", "a green apple", "Quantenmechanik"))
    assert [found.index for found in reply.embeddings] == [0, 1, 2]
    assert {len(found.values) for found in reply.embeddings} == {reply.dimensions} == {1536}
    assert (reply.model, reply.provider) == ("text-embedding-3-small", "openai")
    assert reply.encoding == pb.VECTOR_ENCODING_FLOATS
    red, green, other = (found.values for found in reply.embeddings)
    assert cosine(red, green) > cosine(red, other)
    assert not reply.warnings


async def test_the_provider_gets_the_request_and_its_key(gateway: Gateway) -> None:
    await gateway.stub.Embed(embed("a", "b", dimensions=8, end_user_id="u-1"))
    (received,) = gateway.simulator.received
    assert (received.method, received.path) == ("POST", "/v1/embeddings")
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["user-agent"] == "tokenwire"
    assert received.body == {
        "model": "text-embedding-3-small",
        "input": ["a", "b"],
        "encoding_format": "base64",
        "dimensions": 8,
        "user": "u-1",
    }


async def test_packed_vectors_are_the_same_numbers(gateway: Gateway) -> None:
    floats = await gateway.stub.Embed(embed("a", "b"))
    packed = await gateway.stub.Embed(embed("a", "b", encoding=PACKED))
    assert packed.encoding == PACKED
    for one, other in zip(floats.embeddings, packed.embeddings, strict=True):
        assert not other.values
        assert list(memoryview(other.packed).cast("f")) == list(one.values)
    assert packed.ByteSize() < floats.ByteSize() + 100


async def test_usage_timing_and_attempts_are_told(gateway: Gateway) -> None:
    gateway.simulator.script(Script(headers_delay=0.2))
    reply = await gateway.stub.Embed(embed())
    assert reply.usage.source == common_pb2.TOKEN_SOURCE_PROVIDER
    assert reply.usage.input_tokens == reply.usage.total_tokens > 0
    assert reply.usage.output_tokens == 0
    (attempt,) = reply.attempts
    assert (attempt.provider, attempt.model, attempt.code) == ("openai", "text-embedding-3-small", 0)
    assert (attempt.upstream_status, attempt.reason) == (200, 0)
    timing = reply.timing
    assert 0.2e9 <= attempt.duration.ToNanoseconds() <= timing.upstream.ToNanoseconds()
    assert timing.upstream.ToNanoseconds() <= timing.total.ToNanoseconds()
    assert not timing.HasField("first_token")


async def test_tokens_reach_the_access_line_and_the_metrics(gateway: Gateway) -> None:
    call = gateway.stub.Embed(embed("one two three"))
    reply = await call
    line = await gateway.lines.wait()
    assert (line["rpc"], line["code"], line["reason"]) == ("Embed", "OK", "")
    assert (line["input_tokens"], line["output_tokens"]) == (reply.usage.input_tokens, 0)
    assert (line["provider"], line["model"]) == ("openai", "text-embedding-3-small")
    counted = gateway.metrics.registry.get_sample_value("tokenwire_tokens_total", {"kind": "input"})
    assert counted == reply.usage.input_tokens
    assert gateway.outcomes() == {("Embed", "OK", ""): 1}


async def test_ten_thousand_texts_come_back_in_their_order(gateway: Gateway) -> None:
    given = texts(10_000)
    reply = await gateway.stub.Embed(embed(*given, dimensions=4, encoding=PACKED), timeout=60)
    assert [found.index for found in reply.embeddings] == [*range(10_000)]
    bodies = sent(gateway)
    sizes = [len(body["input"]) for body in bodies]
    assert sorted(sizes) == [272, *[512] * 19]
    assert sorted(text for body in bodies for text in body["input"]) == sorted(given)
    assert len(reply.attempts) == len(bodies)
    for place in (0, 511, 512, 5_000, 9_999):
        alone = await gateway.stub.Embed(embed(given[place], dimensions=4, encoding=PACKED))
        assert reply.embeddings[place].packed == alone.embeddings[0].packed
    assert reply.dimensions == 4


async def test_as_many_of_the_longest_vectors_as_openai_takes_at_once_are_no_answer_too_large(
    gateway: Gateway,
) -> None:
    request = embed(*texts(2048), model="openai/text-embedding-3-large", encoding=PACKED)
    reply = await gateway.stub.Embed(request, timeout=60)
    assert {len(found.packed) for found in reply.embeddings} == {4 * 3072}
    assert len(reply.embeddings) == 2048


async def test_usage_and_attempts_of_all_batches_are_told(open_gateway: Opener) -> None:
    async with open_gateway(**PAIRS) as gateway:
        split = await gateway.stub.Embed(embed(*texts(5)))
        batches = sorted(body["input"] for body in sent(gateway))  # they are sent side by side
        assert batches == [texts(5)[:2], texts(5)[2:4], texts(5)[4:]]
        line = await gateway.lines.wait()
    async with open_gateway() as gateway:
        whole = await gateway.stub.Embed(embed(*texts(5)))
    assert split.usage == whole.usage
    assert split.embeddings == whole.embeddings
    assert (len(split.attempts), len(whole.attempts)) == (3, 1)
    assert (line["attempts"], line["input_tokens"]) == (3, whole.usage.input_tokens)
    longest = max(attempt.duration.ToNanoseconds() for attempt in split.attempts)
    total = split.timing.total.ToNanoseconds()
    assert longest <= split.timing.upstream.ToNanoseconds() <= total, "batches run side by side"


@pytest.mark.parametrize("timeout", [None, 0.4], ids=["cancel", "deadline"])
async def test_no_more_than_four_batches_are_under_way_and_leaving_closes_them(
    open_gateway: Opener, timeout: float | None
) -> None:
    async with open_gateway(**PAIRS) as gateway:
        gateway.simulator.set_default(Script(hang=True, path="/embeddings"))
        before = tasks()
        call = gateway.stub.Embed(embed(*texts(16)), timeout=timeout)
        await gateway.simulator.wait_received(AT_ONCE)
        if timeout is None:
            call.cancel()
        outcome = "CANCELLED" if timeout is None else "DEADLINE_EXCEEDED"
        assert (await call.code()).name == outcome
        for received in gateway.simulator.received:
            await wait_closed(received, SECONDS)
        assert len(gateway.simulator.received) == AT_ONCE
        assert {received.outcome for received in gateway.simulator.received} == {"closed by client"}
        assert (await gateway.lines.wait())["attempts"] == AT_ONCE
        gateway.simulator.set_default(Script())
        await assert_settled(gateway, before, ("Embed", outcome, outcome))


async def test_a_batch_that_fails_ends_the_call_and_the_other_batches(open_gateway: Opener) -> None:
    async with open_gateway(**PAIRS) as gateway:
        before = tasks()
        gateway.simulator.script(Script(times=AT_ONCE - 1, hang=True), Script(error="rate_limit"))
        failed = await failure(gateway.stub.Embed(embed(*texts(16)), timeout=SECONDS))
        assert (failed.code, failed.reason) == ("RESOURCE_EXHAUSTED", "PROVIDER_RATE_LIMITED")
        assert failed.info.metadata["attempts"] == str(AT_ONCE)
        assert failed.info.metadata["upstream_status"] == "429"
        received = gateway.simulator.received
        for record in received:
            await wait_closed(record, SECONDS)
        outcomes = sorted(record.outcome for record in received)
        assert outcomes == [*["closed by client"] * (AT_ONCE - 1), "completed"], (
            "a batch that waited was sent"
        )
        await assert_settled(gateway, before, ("Embed", "RESOURCE_EXHAUSTED", "PROVIDER_RATE_LIMITED"))


@pytest.mark.parametrize(
    "script", [Script(hang=True), Script(cut_at_byte=100, how="stall")], ids=["head", "body"]
)
@pytest.mark.parametrize("timeout", [None, 0.4], ids=["cancel", "deadline"])
async def test_leaving_closes_the_providers_connection(
    gateway: Gateway, script: Script, timeout: float | None
) -> None:
    gateway.simulator.script(script)
    before = tasks()
    call = gateway.stub.Embed(embed(), timeout=timeout)
    received = await gateway.simulator.wait_received()
    if timeout is None:
        call.cancel()
    outcome = "CANCELLED" if timeout is None else "DEADLINE_EXCEEDED"
    assert (await call.code()).name == outcome
    await wait_closed(received, SECONDS)
    assert received.outcome == "closed by client"
    await assert_settled(gateway, before, ("Embed", outcome, outcome))


async def test_a_provider_that_takes_too_long_is_left(open_gateway: Opener) -> None:
    async with open_gateway(timeouts={"total": 0.2}) as gateway:
        gateway.simulator.script(Script(hang=True))
        failed = await failure(gateway.stub.Embed(embed(), timeout=SECONDS))
        assert (failed.code, failed.reason) == ("UNAVAILABLE", "UPSTREAM_TIMEOUT")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script(error="server_error"), "PROVIDER_UNAVAILABLE"),
        (Script(error="invalid_api_key"), "PROVIDER_CREDENTIALS_INVALID"),
        (Script(cut_at_byte=100), "STREAM_TRUNCATED"),
        (Script(cut_at_byte=0, how="rst"), "STREAM_TRUNCATED"),
        (Script(raw="<html>"), "PROVIDER_BAD_RESPONSE"),
        (Script(drop_last=1), "PROVIDER_BAD_RESPONSE"),
        (Script(status=302, raw="", headers={"location": "/v1/models"}), "PROVIDER_BAD_RESPONSE"),
    ],
    ids=str,
)
async def test_a_failure_has_its_reason(gateway: Gateway, script: Script, reason: str) -> None:
    gateway.simulator.script(script)
    assert (await failure(gateway.stub.Embed(embed(), timeout=SECONDS))).reason == reason
    await gateway.works()


async def test_an_answer_over_its_cap_is_refused(open_gateway: Opener) -> None:
    async with open_gateway(provider={"max_response_bytes": 1000}) as gateway:
        failed = await failure(gateway.stub.Embed(embed()))
        assert failed.reason == "RESPONSE_TOO_LARGE"


async def test_the_providers_own_refusals_reach_the_caller(gateway: Gateway) -> None:
    ada = embed(model="openai/text-embedding-ada-002", dimensions=8)
    assert (await failure(gateway.stub.Embed(ada))).reason == "INVALID_REQUEST"
    assert (await failure(gateway.stub.Embed(embed(model="openai/no-such")))).reason == "MODEL_NOT_FOUND"
    chat = await failure(gateway.stub.Embed(embed(model="openai/gpt-4o-mini")))
    assert chat.reason == "PROVIDER_PERMISSION_DENIED"


async def test_a_text_longer_than_the_model_reads_asks_no_provider(gateway: Gateway) -> None:
    failed = await failure(gateway.stub.Embed(embed("a", " hello" * 8192, " hello" * 8193)))
    assert (failed.code, failed.reason) == ("INVALID_ARGUMENT", "CONTEXT_LENGTH_EXCEEDED")
    assert failed.fields == ["input[2]"]
    assert gateway.simulator.received == []


@pytest.mark.parametrize(("given", "field"), [(["OVER"], "input[0]"), (["a", "OVER"], "input")], ids=str)
async def test_the_provider_may_find_a_text_too_long_too(
    gateway: Gateway, given: list[str], field: str
) -> None:
    """The simulator counts a word of twelve letters as three tokens, the model's tokenizer as one."""
    sent = [text.replace("OVER", "considerable " * 3000) for text in given]
    failed = await failure(gateway.stub.Embed(embed(*sent)))
    assert (failed.code, failed.reason) == ("INVALID_ARGUMENT", "CONTEXT_LENGTH_EXCEEDED")
    assert failed.fields == [field]
    assert len(gateway.simulator.received) == 1


async def test_a_missing_usage_is_estimated(gateway: Gateway) -> None:
    gateway.simulator.script(Script(no_usage=True))
    usage = (await gateway.stub.Embed(embed("abcdefgh"))).usage
    assert (usage.input_tokens, usage.total_tokens) == (3, 3)
    assert usage.source == common_pb2.TOKEN_SOURCE_ESTIMATED


def unknown_encoding() -> pb.EmbedRequest:
    request = embed()
    request.encoding = 7  # type: ignore[assignment]  # of a newer contract
    return request


def newer_field() -> pb.EmbedRequest:
    request = embed()
    request.MergeFromString(b"\xca\x03\x02hi")  # number 57, two bytes
    return request


REFUSED = {
    "no text": (embed(input=[]), "INVALID_REQUEST", "input"),
    "an empty text": (embed("a", ""), "INVALID_REQUEST", "input[1]"),
    "too many": (embed(*["a"] * 50_001), "INVALID_REQUEST", "input"),
    "no dimension": (embed(dimensions=0), "INVALID_REQUEST", "dimensions"),
    "unknown encoding": (unknown_encoding(), "INVALID_REQUEST", "encoding"),
    "a newer field": (newer_field(), "UNSUPPORTED_PARAMETER", "57"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_the_contract_refuses_asks_no_provider(gateway: Gateway, name: str) -> None:
    request, reason, field = REFUSED[name]
    failed = await failure(gateway.stub.Embed(request))
    assert (failed.code, failed.reason) == ("INVALID_ARGUMENT", reason)
    assert failed.fields == [field]
    assert f"({field})" in failed.message
    assert gateway.simulator.received == []


async def test_what_was_left_out_is_told_as_a_warning(gateway: Gateway) -> None:
    request = newer_field()
    request.unsupported_parameters = common_pb2.UNSUPPORTED_PARAMETERS_DROP
    (warning,) = (await gateway.stub.Embed(request)).warnings
    assert (warning.code, warning.field) == (common_pb2.WARNING_CODE_PARAMETER_DROPPED, "57")


async def test_options_reach_their_provider_only(gateway: Gateway) -> None:
    options = Struct()
    options.update({"openai": {"encoding_format": "float"}, "mistral": {"x": 1}})
    floats = await gateway.stub.Embed(embed(provider_options=options))
    assert sent(gateway)[0]["encoding_format"] == "float"
    assert "x" not in sent(gateway)[0]
    assert floats.embeddings == (await gateway.stub.Embed(embed())).embeddings, "bit for bit"

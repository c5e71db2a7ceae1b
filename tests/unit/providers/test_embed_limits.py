"""What a model takes of an embedding request: by the catalog, by counting, by the provider's word."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.catalog import Catalog, Row
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers import mistral, openai_chat
from tokenwire_server.providers.codec import Codec
from tokenwire_server.providers.embed_limits import (
    Limits,
    check_lengths,
    knowing_too_long,
    limits_of,
    point_at,
)

DEFAULTS = Limits(max_inputs=100, max_tokens=1_000)
KNOWN = Limits(max_inputs=100, max_tokens=1_000, window=8, tokenizer="cl100k_base")


def of(model: str, *, tokenizer: str | None = "cl100k_base", **facts: Any) -> Limits:
    row = {"kind": "openai", "match": "embed-1", "tokenizer": tokenizer, "facts": facts}
    return limits_of(Catalog([Row.model_validate(row)]), "openai", model, DEFAULTS)


@pytest.mark.parametrize(
    ("facts", "limits"),
    [
        (
            {"max_batch_inputs": 7, "max_batch_tokens": 300, "context_window": 50},
            Limits(7, 200, 50, "cl100k_base"),
        ),
        ({"max_batch_inputs": 700}, Limits(700, 1_000, 0, "cl100k_base")),
        ({"context_window": 50, "tokenizer": None}, Limits(100, 1_000, 50)),
    ],
)
def test_what_the_catalog_knows_comes_before_the_defaults(facts: dict[str, Any], limits: Limits) -> None:
    assert of("embed-1", **facts) == limits
    assert of("embed-1-2026-01-31", **facts) == limits


def test_facts_of_one_model_are_none_of_another() -> None:
    assert of("embed-1-large", max_batch_inputs=7) == DEFAULTS
    assert of("other", max_batch_inputs=7) == DEFAULTS


ENDLESS = "x" * 100_000
"""One word, of which no part can be counted by itself."""


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("a", KNOWN),
        (" hello" * 8, KNOWN),
        (" hello" * 9, replace(KNOWN, window=0)),
        (" hello" * 9, replace(KNOWN, tokenizer="")),
        (" hello" * 9, replace(KNOWN, tokenizer="nobodys")),
        (ENDLESS, KNOWN),
    ],
    ids=["short", "just fits", "no window", "no tokenizer", "unpublished tokenizer", "not countable"],
)
async def test_what_is_not_certainly_too_long_is_left_to_the_provider(text: str, limits: Limits) -> None:
    await check_lengths([text], limits)


async def test_a_text_that_is_too_long_is_named() -> None:
    with pytest.raises(GatewayError) as raised:
        await check_lengths(["a", " hello" * 8, " hello" * 9, " hello" * 10], KNOWN)
    assert raised.value.reason == Reason.CONTEXT_LENGTH_EXCEEDED
    (violation,) = raised.value.violations
    assert violation.field == "input[2]"
    assert raised.value.text == violation.text == "The text has 9 tokens, and the model reads 8 at most."


ASKED_TOO_MUCH = (
    "This model's maximum context length is 8192 tokens, however you requested 20130 tokens (20130 in your "
    "prompt; 0 for the completion). Please reduce your prompt; or completion length."
)
TOO_LONG = "Invalid 'input[0]': maximum input length is 8192 tokens."
VLLM_TOO_LONG = (
    "This model's maximum context length is 512 tokens. However, you requested 600 tokens in the input for "
    "embedding generation."
)
MISTRAL_TOO_LONG = "Input id 0 has 9001 tokens, exceeding max 8192 tokens."
MISTRAL_TOO_MUCH = "Too many tokens overall, split into more batches."


def openai(message: str) -> dict[str, Any]:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return {"error": error}


def vllm(message: str) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}


def of_mistral(message: str) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": "invalid_request_prompt", "code": "3210"}


@pytest.mark.parametrize(
    ("codec", "status", "body", "reason"),
    [
        (openai_chat.CODEC, 400, openai(ASKED_TOO_MUCH), "CONTEXT_LENGTH_EXCEEDED"),
        (openai_chat.CODEC, 400, openai(TOO_LONG), "CONTEXT_LENGTH_EXCEEDED"),
        (openai_chat.CODEC, 400, openai("'$.input' is invalid."), "INVALID_REQUEST"),
        (openai_chat.CODEC, 422, openai(TOO_LONG), "INVALID_REQUEST"),
        (openai_chat.CODEC, 429, openai(TOO_LONG), "PROVIDER_RATE_LIMITED"),
        (openai_chat.COMPATIBLE, 400, vllm(VLLM_TOO_LONG), "CONTEXT_LENGTH_EXCEEDED"),
        (mistral.CODEC, 400, of_mistral(MISTRAL_TOO_LONG), "CONTEXT_LENGTH_EXCEEDED"),
        (mistral.CODEC, 400, of_mistral(MISTRAL_TOO_MUCH), "INVALID_REQUEST"),
    ],
)
def test_a_text_that_is_too_long_is_known_by_the_providers_message(
    codec: Codec, status: int, body: dict[str, Any], reason: str
) -> None:
    error = knowing_too_long(codec.error)(status, {}, json.dumps(body).encode())
    assert Reason.Name(error.reason) == reason
    assert error.upstream.status == status


def refused(message: str) -> GatewayError:
    return knowing_too_long(openai_chat.CODEC.error)(400, {}, json.dumps(openai(message)).encode())


@pytest.mark.parametrize(("batch", "path"), [(range(7, 8), "input[7]"), (range(2), "input")])
def test_the_text_that_is_meant_is_pointed_at_where_it_is_known(batch: range, path: str) -> None:
    error = refused(TOO_LONG)
    point_at(error, batch)
    assert [violation.field for violation in error.violations] == [path]
    assert "8192" not in error.text


def test_other_failures_point_where_they_did() -> None:
    error = refused("'$.input' is invalid.")
    before = error.text
    point_at(error, range(1))
    assert (error.text, error.violations) == (before, [])

"""ModelLister: what a provider's list comes to beside the catalog, and which replies are none."""

import json
from typing import Any, cast

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire.v1.models_pb2 import (
    MODALITY_IMAGE,
    MODALITY_TEXT,
    MODEL_CAPABILITY_CHAT,
    MODEL_CAPABILITY_EMBEDDINGS,
    MODEL_CAPABILITY_JSON_SCHEMA,
    MODEL_CAPABILITY_REASONING,
    MODEL_CAPABILITY_TOOLS,
    MODEL_CAPABILITY_VISION,
    Model,
    ModelPrices,
)
from tokenwire_server.catalog import Catalog, shipped
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.exchange import Exchanger
from tokenwire_server.providers.models import ModelLister
from tokenwire_server.settings import Kind

CATALOG = Catalog(
    shipped("""
[[catalog]]
kind = "openai"
match = "o9"
efforts = ["low", "high"]
source = "made up"

[catalog.facts]
display_name = "o nine"
capabilities = ["chat", "tools", "json_schema"]
input_modalities = ["text", "image"]
context_window = 200000
max_output_tokens = 100000
shutdown = 2027-01-31
replacement = "o10"
prices = { taken = 2026-11-01, input_usd = 2.5, output_usd = 0 }
source = "made up"

[[catalog]]
kind = "mistral"
match = "m"
source = "made up"

[catalog.facts]
display_name = "Em"
capabilities = ["chat", "vision", "json_schema"]
context_window = 1000
source = "made up"

[[catalog]]
kind = "mistral"
match = "m-embed"
source = "made up"

[catalog.facts]
capabilities = ["embeddings"]
source = "made up"
""")
)


class Canned:
    """Stands in for an Exchanger: gives one body, and keeps what was asked for."""

    def __init__(self, reply: object) -> None:
        self.raw = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.asked: list[tuple[str, int, float]] = []

    async def get(self, path: str, cap: int, seconds: float) -> bytes:
        self.asked.append((path, cap, seconds))
        return self.raw


async def listed(reply: object, kind: Kind = "openai") -> list[Model]:
    lister = ModelLister("p", kind, cast("Exchanger", Canned(reply)), CATALOG, 2**25)
    return await lister.models()


async def model_of(card: dict[str, Any], kind: Kind = "openai") -> Model:
    (model,) = await listed({"object": "list", "data": [card]}, kind)
    return model


def moment(text: str) -> Timestamp:
    stamp = Timestamp()
    stamp.FromJsonString(text)
    return stamp


def own(model_id: str, **fields: Any) -> Model:
    """A model of which only these fields are known."""
    return Model(name=f"p/{model_id}", id=model_id, provider="p", **fields)


O9 = own(
    "o9",
    display_name="o nine",
    capabilities=[MODEL_CAPABILITY_CHAT, MODEL_CAPABILITY_TOOLS, MODEL_CAPABILITY_JSON_SCHEMA],
    input_modalities=[MODALITY_TEXT, MODALITY_IMAGE],
    context_window=200_000,
    max_output_tokens=100_000,
    reasoning_efforts=["low", "high"],
    prices=ModelPrices(input_usd=2.5, output_usd=0),
    deprecate_time=moment("2027-01-31T00:00:00Z"),
    replacement="o10",
)
"""All that the catalog knows."""


async def test_the_catalog_tells_what_the_provider_does_not() -> None:
    found = await model_of({"id": "o9", "object": "model", "created": 1_700_000_000, "owned_by": "system"})
    expected = Model(create_time=Timestamp(seconds=1_700_000_000))
    expected.MergeFrom(O9)
    assert found == expected
    assert not found.prices.HasField("cached_input_usd")


async def test_of_another_model_of_the_family_only_the_rules_hold() -> None:
    assert await model_of({"id": "o9-mini"}) == own("o9-mini", reasoning_efforts=["low", "high"])


async def test_of_a_model_that_nobody_knows_little_is_said() -> None:
    assert await model_of({"id": "x/y:free"}) == own("x/y:free")


SAID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "openai: shutdown": ({"shutdown_date": "2026-12-01"}, {"deprecate_time": moment("2026-12-01T00:00:00Z")}),
    "openrouter": (
        {"name": "X: Y", "description": "It is.", "context_length": 4096, "expiration_date": "2026-12-01"},
        {
            "display_name": "X: Y",
            "description": "It is.",
            "context_window": 4096,
            "deprecate_time": moment("2026-12-01T00:00:00Z"),
        },
    ),
    "groq": (
        {"context_window": 131_072, "max_completion_tokens": 32_768},
        {"context_window": 131_072, "max_output_tokens": 32_768},
    ),
    "vllm": ({"max_model_len": 8192}, {"context_window": 8192}),
    "together": (
        {"display_name": "Why", "context_length": 10},
        {"display_name": "Why", "context_window": 10},
    ),
    "a name that is the id": ({"name": "y"}, {}),
    "capabilities of another form": ({"capabilities": ["completion", "tools"]}, {}),
    "wrong types": (
        {
            "created": "yesterday",
            "name": 3,
            "description": None,
            "aliases": "y2",
            "context_length": "4096",
            "context_window": True,
            "max_model_len": 1.5,
            "max_completion_tokens": None,
            "shutdown_date": "soon",
            "deprecation_replacement_model": {},
        },
        {},
    ),
    "out of range": ({"created": 10**15, "context_length": 2**31, "max_completion_tokens": -1}, {}),
}


@pytest.mark.parametrize("name", SAID)
async def test_a_field_of_the_servers_own_is_taken_where_it_fits(name: str) -> None:
    card, fields = SAID[name]
    assert await model_of({"id": "y", **card}, "openai_compatible") == own("y", **fields)


async def test_what_the_provider_says_comes_before_the_catalog() -> None:
    said = {"name": "Nine", "context_length": 7, "max_completion_tokens": 5, "shutdown_date": "2026-12-01"}
    found = await model_of({"id": "o9", **said})
    expected = Model()
    expected.CopyFrom(O9)
    expected.display_name, expected.context_window, expected.max_output_tokens = "Nine", 7, 5
    expected.deprecate_time.CopyFrom(moment("2026-12-01T00:00:00Z"))
    assert found == expected


async def test_a_card_of_mistral() -> None:
    card = {
        "id": "m",
        "object": "model",
        "created": 1_700_000_000,
        "capabilities": {
            "completion_chat": True,
            "function_calling": True,
            "reasoning": True,
            "vision": False,
            "completion_fim": True,
            "audio": None,
        },
        "name": "m-2603",
        "description": "The one.",
        "max_context_length": 131_072,
        "aliases": ["m-2603", 7, "m-latest"],
        "deprecation": "2026-11-30T12:00:00+02:00",
        "deprecation_replacement_model": "n",
        "type": "base",
    }
    assert await model_of(card, "mistral") == own(
        "m",
        display_name="Em",  # what it calls its name is another id
        description="The one.",
        aliases=["m-2603", "m-latest"],
        context_window=131_072,
        capabilities=[
            MODEL_CAPABILITY_CHAT,
            MODEL_CAPABILITY_TOOLS,
            MODEL_CAPABILITY_JSON_SCHEMA,
            MODEL_CAPABILITY_REASONING,
        ],
        deprecate_time=moment("2026-11-30T10:00:00Z"),
        replacement="n",
    )


async def test_what_mistral_has_no_word_for_is_the_catalogs() -> None:
    nothing = dict.fromkeys(("completion_chat", "function_calling", "vision"), False)
    found = await model_of({"id": "m-embed", "capabilities": nothing}, "mistral")
    assert found == own("m-embed", capabilities=[MODEL_CAPABILITY_EMBEDDINGS])
    seeing = await model_of({"id": "other", "capabilities": {"vision": True}}, "mistral")
    assert seeing == own("other", capabilities=[MODEL_CAPABILITY_VISION])


async def test_models_are_in_the_order_of_their_names_and_each_is_there_once() -> None:
    cards = [{"id": id_, "description": str(place)} for place, id_ in enumerate("bacab")]
    found = await listed({"data": cards})
    assert [(model.id, model.description) for model in found] == [("a", "3"), ("b", "4"), ("c", "2")]


@pytest.mark.parametrize("reply", [{"data": []}, {"object": "list", "data": None}, []])
async def test_an_empty_list_is_one(reply: object) -> None:
    assert await listed(reply) == []


async def test_some_servers_give_the_bare_list() -> None:
    assert await listed([{"id": "y"}]) == [own("y")]


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"<html>",
        b"null",
        b"[" * 100_000,
        "models",
        {},
        {"error": {"message": "no"}},
        {"data": {}},
        {"data": "abc"},
        {"data": [None]},
        {"data": ["gpt-4o"]},
        {"data": [["id"]]},
        {"data": [{}]},
        {"data": [{"id": ""}]},
        {"data": [{"id": 4}]},
        {"data": [{"id": "good"}, {"id": None}]},
    ],
    ids=lambda reply: repr(reply)[:30],
)
async def test_anything_else_is_a_bad_response(reply: object) -> None:
    with pytest.raises(GatewayError) as raised:
        await listed(reply)
    assert raised.value.reason == Reason.PROVIDER_BAD_RESPONSE


async def test_more_models_than_any_provider_has_are_refused() -> None:
    assert len(await listed([{"id": str(number)} for number in range(5_000)])) == 5_000
    with pytest.raises(GatewayError) as raised:
        await listed([{"id": str(number)} for number in range(100_000)])
    assert raised.value.reason == Reason.RESPONSE_TOO_LARGE


@pytest.mark.parametrize(("allowed", "cap"), [(1000, 1000), (2**25, 2**23)])
async def test_the_reply_has_a_cap(allowed: int, cap: int) -> None:
    canned = Canned([])
    await ModelLister("p", "openai", cast("Exchanger", canned), CATALOG, allowed).models()
    assert canned.asked == [("/models", cap, 10.0)]

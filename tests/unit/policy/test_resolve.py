"""`ChatRequest.model` → Target, as the contract words it."""

import pytest

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Target
from tokenwire_server.errors import GatewayError
from tokenwire_server.policy.resolve import Resolver

KINDS = ("openai", "mistral")
ONE = Resolver({"openai": ""}, KINDS, "openai/gpt-4o-mini")
OWN = Resolver({"openai": "gpt-own"}, KINDS, "")
BARE = Resolver({"openai": ""}, KINDS, "")
TWO = Resolver({"openai": "a", "local": "b"}, KINDS, "local/big")
TWO_WITHOUT_DEFAULT = Resolver({"openai": "a", "local": "b"}, KINDS, "")
ROUTER = Resolver({"openrouter": ""}, KINDS, "openrouter/auto")
PLAIN_DEFAULT = Resolver({"openai": ""}, KINDS, "gpt-plain")
NONE = Resolver({}, KINDS, "")
HELD = Resolver(
    {"openai": "a", "mistral": "b"},
    KINDS,
    "mistral-large",
    holder=lambda model: {"gpt": "openai", "mis": "mistral"}.get(model[:3], ""),
)

FOUND = [
    (ONE, "", "openai", "gpt-4o-mini"),
    (ONE, "openai/gpt-5", "openai", "gpt-5"),
    (ONE, "gpt-5", "openai", "gpt-5"),
    (ONE, "ft:gpt-4o:org:x:1", "openai", "ft:gpt-4o:org:x:1"),
    (ONE, "openai/ft:a/b", "openai", "ft:a/b"),
    (ONE, "meta-llama/x", "openai", "meta-llama/x"),
    (ONE, "OpenAI/gpt-5", "openai", "OpenAI/gpt-5"),
    (ONE, "/gpt-5", "openai", "/gpt-5"),
    (OWN, "", "openai", "gpt-own"),
    (OWN, "gpt-5", "openai", "gpt-5"),
    (BARE, "gpt-5", "openai", "gpt-5"),
    (TWO, "", "local", "b"),
    (Resolver({"openai": "a", "local": ""}, KINDS, "local/big"), "", "local", "big"),
    (TWO, "x", "local", "x"),
    (TWO, "openai/x", "openai", "x"),
    (TWO_WITHOUT_DEFAULT, "local/x", "local", "x"),
    (ROUTER, "openrouter/meta-llama/x", "openrouter", "meta-llama/x"),
    (ROUTER, "meta-llama/x", "openrouter", "meta-llama/x"),
    (PLAIN_DEFAULT, "", "openai", "gpt-plain"),
    (HELD, "", "mistral", "b"),
    (HELD, "gpt-5", "openai", "gpt-5"),
    (HELD, "mistral-small", "mistral", "mistral-small"),
    (HELD, "openai/mistral-small", "openai", "mistral-small"),
    (HELD, "unheard-of", "mistral", "unheard-of"),
]

REFUSED = [
    (BARE, "", Reason.INVALID_REQUEST),
    (NONE, "", Reason.INVALID_REQUEST),
    (TWO_WITHOUT_DEFAULT, "", Reason.INVALID_REQUEST),
    (ONE, "openai/", Reason.INVALID_REQUEST),
    (ONE, "mistral/x", Reason.PROVIDER_NOT_CONFIGURED),
    (ONE, "mistral/", Reason.PROVIDER_NOT_CONFIGURED),
    (NONE, "openai/x", Reason.PROVIDER_NOT_CONFIGURED),
    (TWO_WITHOUT_DEFAULT, "x", Reason.MODEL_NOT_FOUND),
    (TWO_WITHOUT_DEFAULT, "meta-llama/x", Reason.MODEL_NOT_FOUND),
    (NONE, "x", Reason.MODEL_NOT_FOUND),
]


@pytest.mark.parametrize(("resolver", "model", "provider", "resolved"), FOUND)
def test_a_name_means_a_target(resolver: Resolver, model: str, provider: str, resolved: str) -> None:
    assert resolver.resolve(model) == Target(provider, resolved)


@pytest.mark.parametrize(("resolver", "model", "reason"), REFUSED)
def test_a_name_means_nothing(resolver: Resolver, model: str, reason: int) -> None:
    with pytest.raises(GatewayError) as caught:
        resolver.resolve(model)
    assert caught.value.reason == reason
    assert [violation.field for violation in caught.value.violations] == ["model"]
    if reason == Reason.MODEL_NOT_FOUND:
        assert caught.value.resource == model

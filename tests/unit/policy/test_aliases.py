"""Names of several targets: aliases, and the fallbacks of a request."""

from collections import Counter

import pytest

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Target
from tokenwire_server.errors import GatewayError
from tokenwire_server.policy.resolve import Alias, Aliases, Resolver

RESOLVER = Resolver({"openai": "", "mistral": "", "local": ""}, ("openai", "mistral"), "openai/gpt-4o-mini")
FAST = Alias(("openai/gpt-5.4-mini", "mistral/mistral-small-latest"))
SPREAD = Alias(("openai/a", "mistral/b", "local/c"), weights=(1, 2, 0))
SAME = Alias(("openai/bge-m3", "local/bge-m3", "mistral/mistral-embed"))
NAMES = Aliases(RESOLVER, {"fast": FAST, "spread": SPREAD, "same": SAME})


def targets(*names: str) -> tuple[Target, ...]:
    return tuple(Target(*name.split("/", 1)) for name in names)


@pytest.mark.parametrize(
    ("model", "fallbacks", "expected"),
    [
        ("", (), ("openai/gpt-4o-mini",)),
        ("mistral/x", (), ("mistral/x",)),
        ("fast", (), FAST.targets),
        ("openai/x", ("mistral/y", "local/z"), ("openai/x", "mistral/y", "local/z")),
        ("openai/x", ("fast",), ("openai/x", *FAST.targets)),
        ("fast", ("mistral/mistral-small-latest", "local/z"), (*FAST.targets, "local/z")),
        ("openai/x", ("openai/x",), ("openai/x",)),
        ("openai/fast", (), ("openai/fast",)),
    ],
)
def test_names_mean_targets_in_order(
    model: str, fallbacks: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert NAMES.targets(model, fallbacks) == targets(*expected)


def test_weights_choose_the_first() -> None:
    drawn = Counter(NAMES.targets("spread", ()) for _ in range(300))
    assert set(drawn) == {
        targets("openai/a", "mistral/b", "local/c"),
        targets("mistral/b", "openai/a", "local/c"),
    }
    assert 50 < drawn[targets("openai/a", "mistral/b", "local/c")] < 150


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", Reason.INVALID_REQUEST), ("openai/", Reason.INVALID_REQUEST)],
)
def test_a_fallback_that_means_nothing_is_named(name: str, reason: "Reason.ValueType") -> None:
    with pytest.raises(GatewayError) as caught:
        NAMES.targets("openai/x", ("local/y", name))
    assert caught.value.reason == reason
    assert [violation.field for violation in caught.value.violations] == ["fallback_models[1]"]


def test_vectors_of_different_models_never_mix() -> None:
    assert NAMES.same_model("same", ()) == targets("openai/bge-m3", "local/bge-m3")
    assert NAMES.same_model("local/bge-m3", ("openai/bge-m3",)) == targets("local/bge-m3", "openai/bge-m3")
    with pytest.raises(GatewayError) as caught:
        NAMES.same_model("local/bge-m3", ("openai/bge-m3", "mistral/mistral-embed"))
    assert [violation.field for violation in caught.value.violations] == ["fallback_models[1]"]


def test_weights_do_not_mix_vectors_either() -> None:
    weighed = Alias(("openai/bge-m3", "local/other", "local/bge-m3"), (1, 100, 1))
    names = Aliases(Resolver({"openai": "", "local": ""}, (), ""), {"vectors": weighed})
    found = {names.same_model("vectors", ()) for _ in range(200)}
    assert found <= {
        targets("openai/bge-m3", "local/bge-m3"),
        targets("local/bge-m3", "openai/bge-m3"),
    }


def test_an_alias_of_what_is_not_there_is_found_at_start() -> None:
    with pytest.raises(GatewayError):
        Aliases(Resolver({"local": ""}, ("openai",), ""), {"fast": FAST})

"""Metrics: what is counted, and that callers cannot make labels."""

import pytest

from tokenwire.v1.common_pb2 import Usage
from tokenwire_server.telemetry.metrics import OTHER, Metrics, Outcome

OK = Outcome(
    rpc="Chat",
    provider="openai",
    model="gpt-4o",
    code="OK",
    reason="",
    duration=0.5,
    first_token=None,
    input_tokens=3,
    output_tokens=4,
    asked=True,
)


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def _models(metrics: Metrics) -> set[str]:
    families = metrics.registry.collect()
    return {
        sample.labels["model"] for family in families for sample in family.samples if "model" in sample.labels
    }


def _count(metrics: Metrics, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        metrics.began(outcome.rpc)
        metrics.ended(outcome)


def test_an_outcome_is_counted_once() -> None:
    metrics = Metrics()
    _count(metrics, OK)
    labels = {
        "rpc": "Chat",
        "provider": "openai",
        "model": "gpt-4o",
        "code": "OK",
        "reason": "",
        "caller": "",
    }
    assert _value(metrics, "tokenwire_requests_total", **labels) == 1
    few = {"rpc": "Chat", "provider": "openai", "code": "OK"}
    assert _value(metrics, "tokenwire_request_duration_seconds_count", **few) == 1
    assert _value(metrics, "tokenwire_request_duration_seconds_sum", **few) == 0.5


def test_callers_are_told_apart() -> None:
    metrics = Metrics()
    _count(metrics, OK, OK._replace(caller="web"), OK._replace(caller="web"))
    labels = {"rpc": "Chat", "provider": "openai", "model": "gpt-4o", "code": "OK", "reason": ""}
    assert _value(metrics, "tokenwire_requests_total", caller="web", **labels) == 2
    assert _value(metrics, "tokenwire_requests_total", caller="", **labels) == 1


def test_tokens_add_up() -> None:
    metrics = Metrics()
    _count(metrics, OK, OK)
    assert _value(metrics, "tokenwire_tokens_total", kind="input") == 6
    assert _value(metrics, "tokenwire_tokens_total", kind="output") == 8


def test_an_answer_that_nobody_got_is_paid() -> None:
    """By the provider and model that were paid, who need not be those that answered."""
    metrics = Metrics()
    lost = Usage(input_tokens=5, output_tokens=2, cost_nano_usd=3_000_000_000)
    metrics.lost("mistral", "small", lost)
    metrics.lost("mistral", "unpriced", Usage(input_tokens=1))
    _count(metrics, OK._replace(cost_nano_usd=1_000_000_000))
    assert _value(metrics, "tokenwire_cost_usd_total", provider="mistral", model="small") == 3
    assert _value(metrics, "tokenwire_cost_usd_total", provider="openai", model="gpt-4o") == 1
    assert _value(metrics, "tokenwire_cost_usd_total", provider="mistral", model="unpriced") is None
    assert _value(metrics, "tokenwire_tokens_total", kind="input") == 9
    assert _value(metrics, "tokenwire_tokens_total", kind="output") == 6


def test_the_first_token_is_observed_of_streams_only() -> None:
    metrics = Metrics()
    _count(metrics, OK, OK._replace(rpc="ChatStream", first_token=0.25))
    name = "tokenwire_first_token_seconds"
    assert _value(metrics, f"{name}_count", provider="openai", model="gpt-4o") == 1
    assert _value(metrics, f"{name}_sum", provider="openai", model="gpt-4o") == 0.25


def test_a_model_that_nobody_was_asked_for_gets_no_label() -> None:
    metrics = Metrics()
    _count(metrics, OK._replace(rpc="CountTokens", model="made up", asked=False), OK)
    assert _models(metrics) == {OTHER, "gpt-4o"}


def test_in_flight_returns_to_nought() -> None:
    metrics = Metrics()
    for rpc in ("Chat", "Chat", "ChatStream"):
        metrics.began(rpc)
    assert _value(metrics, "tokenwire_in_flight", rpc="Chat") == 2
    for rpc in ("Chat", "Chat", "ChatStream"):
        metrics.left(rpc)
    for rpc in ("Chat", "ChatStream"):
        assert _value(metrics, "tokenwire_in_flight", rpc=rpc) == 0


def test_a_model_that_never_answered_has_no_label() -> None:
    metrics = Metrics()
    _count(metrics, *(OK._replace(model=f"made-up-{i}", code="NOT_FOUND") for i in range(50)))
    assert _models(metrics) == {OTHER}


def test_a_model_that_answered_keeps_its_label_when_it_fails() -> None:
    metrics = Metrics()
    _count(metrics, OK, OK._replace(code="UNAVAILABLE", reason="PROVIDER_OVERLOADED"))
    assert _models(metrics) == {"gpt-4o"}


def test_a_call_without_a_model_has_an_empty_label() -> None:
    metrics = Metrics()
    _count(metrics, OK._replace(provider="", model="", code="INVALID_ARGUMENT"))
    assert _models(metrics) == {""}


@pytest.mark.parametrize("models", [150, 400])
def test_models_have_a_bounded_number_of_labels(models: int) -> None:
    metrics = Metrics()
    _count(metrics, *(OK._replace(model=f"m-{i}") for i in range(models)))
    assert len(_models(metrics) - {OTHER}) == min(models, 200)
    assert (OTHER in _models(metrics)) == (models > 200)

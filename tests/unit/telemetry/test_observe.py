"""Observer: what of an ended call is counted for whom."""

import sys
from io import BytesIO, TextIOWrapper
from unittest.mock import patch

import orjson
import structlog

from tokenwire.v1.common_pb2 import Attempt, Usage
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call, Target
from tokenwire_server.telemetry import logs
from tokenwire_server.telemetry.metrics import Metrics
from tokenwire_server.telemetry.observe import Observer
from tokenwire_server.telemetry.provider_health import ProviderHealth


async def test_what_was_lost_counts_for_who_was_paid() -> None:
    metrics = Metrics()
    observer = Observer(metrics, ProviderHealth({}, (), metrics))
    call = Call("r-1", "ChatStream", 0.0, target=Target("openai", "gpt-4o"))
    call.usage = Usage(output_tokens=7, cost_nano_usd=4_000_000_000)
    call.lost = [(Target("mistral", "small"), Usage(output_tokens=5, cost_nano_usd=2_000_000_000))]
    observer.began(call)
    observer.ended(call, "UNAVAILABLE", "STREAM_TRUNCATED")
    observer.flush()
    value = metrics.registry.get_sample_value
    assert value("tokenwire_cost_usd_total", {"provider": "mistral", "model": "small"}) == 2
    assert value("tokenwire_cost_usd_total", {"provider": "openai", "model": "other"}) == 4
    assert value("tokenwire_tokens_total", {"kind": "output"}) == 12


class _Writes(BytesIO):
    """Standard error that tells writes apart."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: list[bytes] = []

    def flush(self) -> None:
        if found := self.getvalue():
            self.flushed.append(found)
        self.seek(0)
        self.truncate()


async def test_calls_that_end_together_are_written_in_one_piece() -> None:
    written = _Writes()
    with patch.object(sys, "stderr", TextIOWrapper(written)):
        logs.configure(json=True)
        try:
            metrics = Metrics()
            observer = Observer(metrics, ProviderHealth({}, (), metrics))
            for number in range(3):
                observer.ended(Call(f"r-{number}", "Chat", 0.0), "OK", "")
            assert not written.flushed
            observer.flush()
            observer.flush()
            structlog.get_logger().info("stopped")
        finally:
            structlog.reset_defaults()
        together, alone = written.flushed
    lines = [orjson.loads(line) for line in together.splitlines()]
    assert [line["request_id"] for line in lines] == ["r-0", "r-1", "r-2"]
    assert orjson.loads(alone)["event"] == "stopped"


async def test_whoever_asks_for_health_sees_each_call_that_has_ended() -> None:
    metrics = Metrics()
    providers = ProviderHealth({"openai": "openai"}, (), metrics)
    observer = Observer(metrics, providers)
    call = Call("r-1", "Chat", 0.0)
    call.attempts = [Attempt(provider="openai", reason=Reason.PROVIDER_OVERLOADED)]
    call.attempts[0].duration.seconds = 1
    observer.ended(call, "UNAVAILABLE", "PROVIDER_OVERLOADED")
    (row,) = [row for row in providers.rows() if row.name == "openai"]
    assert row.last_error_reason == Reason.PROVIDER_OVERLOADED

"""Observer: what of an ended call is counted for whom."""

from tokenwire.v1.common_pb2 import Usage
from tokenwire_server.call import Call, Target
from tokenwire_server.telemetry.metrics import Metrics
from tokenwire_server.telemetry.observe import Observer
from tokenwire_server.telemetry.provider_health import ProviderHealth


def test_what_was_lost_counts_for_who_was_paid() -> None:
    metrics = Metrics()
    observer = Observer(metrics, ProviderHealth({}, (), metrics))
    call = Call("r-1", "ChatStream", 0.0, target=Target("openai", "gpt-4o"))
    call.usage = Usage(output_tokens=7, cost_nano_usd=4_000_000_000)
    call.lost = [(Target("mistral", "small"), Usage(output_tokens=5, cost_nano_usd=2_000_000_000))]
    observer.began(call)
    observer.ended(call, "UNAVAILABLE", "STREAM_TRUNCATED")
    value = metrics.registry.get_sample_value
    assert value("tokenwire_cost_usd_total", {"provider": "mistral", "model": "small"}) == 2
    assert value("tokenwire_cost_usd_total", {"provider": "openai", "model": "other"}) == 4
    assert value("tokenwire_tokens_total", {"kind": "output"}) == 12

"""The metrics of several processes as those of one."""

import json

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.registry import Collector

from tokenwire_server.telemetry import merge


def _process(calls: int, *, up: bool) -> merge.Page:
    """What a process that answered so many calls sends: JSON."""
    registry = CollectorRegistry()
    requests = Counter("requests_total", "Calls.", ("code",), registry=registry)
    duration = Histogram("duration_seconds", "Time.", buckets=(1, 2), registry=registry)
    for _ in range(calls):
        requests.labels("OK").inc()
        duration.observe(1.5)
    requests.labels(f"only of {calls}").inc()
    Gauge("in_flight", "Calls.", registry=registry).set(calls)
    Gauge("tokenwire_provider_up", "Up.", ("provider",), registry=registry).labels("fake").set(up)
    page: merge.Page = json.loads(json.dumps(merge.page(registry)))
    return page


def _exposed(*pages: merge.Page) -> CollectorRegistry:
    class Merged(Collector):
        def collect(self) -> list[Metric]:
            return list(merge.metrics(merge.merged(pages)))

    registry = CollectorRegistry()
    registry.register(Merged())
    return registry


def test_values_add_up_and_a_provider_is_up_where_all_find_it_so() -> None:
    found = _exposed(_process(2, up=True), _process(3, up=False))
    for name, labels, value in (
        ("requests_total", {"code": "OK"}, 5),
        ("requests_total", {"code": "only of 2"}, 1),
        ("requests_total", {"code": "only of 3"}, 1),
        ("duration_seconds_count", {}, 5),
        ("duration_seconds_sum", {}, 7.5),
        ("duration_seconds_bucket", {"le": "1.0"}, 0),
        ("duration_seconds_bucket", {"le": "2.0"}, 5),
        ("in_flight", {}, 5),
        ("tokenwire_provider_up", {"provider": "fake"}, 0),
    ):
        assert found.get_sample_value(name, labels) == value, name


def test_the_first_series_began_first() -> None:
    first, second = _process(1, up=True), _process(1, up=True)
    began = _exposed(first).get_sample_value("requests_created", {"code": "OK"})
    assert began
    assert _exposed(second, first).get_sample_value("requests_created", {"code": "OK"}) == began


def test_of_a_process_that_ended_its_counts_stay() -> None:
    found = _exposed(merge.kept(_process(2, up=False)), _process(3, up=True))
    assert found.get_sample_value("requests_total", {"code": "OK"}) == 5
    assert found.get_sample_value("duration_seconds_count") == 5
    assert found.get_sample_value("in_flight") == 3
    assert found.get_sample_value("tokenwire_provider_up", {"provider": "fake"}) == 1


def test_one_process_reads_as_without_merging() -> None:
    registry = CollectorRegistry()
    Counter("requests_total", "Calls.", ("code",), registry=registry).labels("OK").inc()
    Histogram("duration_seconds", "Time.", registry=registry).observe(0.5)
    assert generate_latest(_exposed(merge.page(registry))) == generate_latest(registry)

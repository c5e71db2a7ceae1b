"""The metrics of several processes as those of one."""

from collections.abc import Callable, Iterable, Iterator
from operator import add
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry, Metric

Labels: TypeAlias = tuple[tuple[str, str], ...]
Family: TypeAlias = tuple[str, str, str]
"""Name, text and type."""
Page: TypeAlias = list[tuple[Family, list[tuple[str, Labels, float]]]]
"""Each family with its samples: name, labels and value."""

_LEAST: Final = ("tokenwire_provider_up", "_created")
"""Ends of names that do not add up: what one process finds down is down, and the first series began first."""
_KEPT: Final = ("counter", "histogram")


def page(registry: CollectorRegistry) -> Page:
    """What one process counted."""
    return [
        (
            (metric.name, metric.documentation, metric.type),
            [(sample.name, tuple(sample.labels.items()), sample.value) for sample in metric.samples],
        )
        for metric in registry.collect()
    ]


def merged(pages: Iterable[Page]) -> Page:
    """Of each series, what all of them say."""
    families: dict[Family, dict[tuple[str, Labels], float]] = {}
    for one in pages:
        for (family, text, kind), samples in one:
            values = families.setdefault((family, text, kind), {})
            for name, labels, value in samples:
                key = name, tuple((label, of) for label, of in labels)
                values[key] = _operation(name)(values[key], value) if key in values else value
    return [
        (family, [(name, labels, value) for (name, labels), value in values.items()])
        for family, values in families.items()
    ]


def kept(one: Page) -> Page:
    """What stays true of a process that has ended: sums must not fall."""
    return [(family, samples) for family, samples in one if family[2] in _KEPT]


def metrics(one: Page) -> Iterator[Metric]:
    """As a registry gives them."""
    for (name, text, kind), samples in one:
        metric = Metric(name, text, kind)
        for sample, labels, value in samples:
            metric.add_sample(sample, dict(labels), value)
        yield metric


def _operation(name: str) -> Callable[[float, float], float]:
    return min if name.endswith(_LEAST) else add

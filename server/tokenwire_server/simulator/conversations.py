"""The conversations that a provider stores, so that a request can go on from an earlier answer."""

from collections.abc import Sequence

from tokenwire_server.simulator.values import Json

_KEPT = 1_000  # answers; the oldest are forgotten


class Conversations:
    """What one provider has stored."""

    def __init__(self) -> None:
        self._kept: dict[str, Sequence[Json]] = {}

    def keep(self, name: str, items: Sequence[Json]) -> None:
        """Store all items up to the answer with this name, its own included."""
        self._kept[name] = items
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]

    def until(self, name: str) -> Sequence[Json] | None:
        """The items up to an answer; None if it is not stored."""
        return self._kept.get(name)

    def item(self, name: str) -> Json | None:
        """The stored item with this name."""
        stored = (item for items in reversed(self._kept.values()) for item in items)
        return next((item for item in stored if item.get("id") == name), None)

"""Models past their shutdown date: asked all the same, with a warning. The provider decides."""

from datetime import UTC, date, datetime

from tokenwire_server.catalog import Facts
from tokenwire_server.unsupported import Unsupported


def today() -> date:
    """The day, by which models end."""
    return datetime.now(UTC).date()


def warn_if_ended(facts: Facts | None, unsupported: Unsupported) -> None:
    """MODEL_DEPRECATED, where the provider says that the model is no more."""
    if facts and facts.shutdown and facts.shutdown <= today():
        instead = f"; {facts.replacement} replaces it" if facts.replacement else ""
        unsupported.ended_model(f"The provider ended the model on {facts.shutdown}{instead}.")
